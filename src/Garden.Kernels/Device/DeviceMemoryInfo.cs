namespace Garden.Kernels;

/// <summary>A device's memory as its driver counts it.</summary>
/// <param name="FreeBytes">Bytes that can still be allocated.</param>
/// <param name="TotalBytes">Bytes the device has.</param>
public readonly record struct DeviceMemoryInfo(long FreeBytes, long TotalBytes);
