using System.Diagnostics;

namespace Garden.Kernels.Tests.Device;

/// <summary>Device memory between processes.</summary>
public sealed class IpcTests
{
    private const int Length = 300_000;

    [Fact]
    public void HandlesSurviveTheWire()
    {
        var handle = new IpcMemoryHandle { ProcessId = 7, ProcessStart = 123456, AllocationId = 9, Offset = 512, Length = 1 << 20, Address = 0x7f00_0000_0000, Handle = TestBytes.Random(new Random(1), 64) };
        byte[] bytes = handle.ToBytes();
        Assert.Equal(IpcMemoryHandle.SizeInBytes, bytes.Length);
        Assert.Equal(bytes, IpcMemoryHandle.Parse(bytes).ToBytes());
        Assert.Throws<DescriptorException>(() => IpcMemoryHandle.Parse(bytes.AsSpan(1)));
        bytes[0] ^= 1;
        Assert.Throws<DescriptorException>(() => IpcMemoryHandle.Parse(bytes));
        bytes[0] ^= 1;
        // A length that ends beyond every address.
        bytes.AsSpan(32, 8).Fill(0xff);
        bytes[39] = 0x7f;
        Assert.Throws<DescriptorException>(() => IpcMemoryHandle.Parse(bytes));
    }

    [Fact]
    public void AnotherProcessReadsAndWritesTheMemory()
    {
        CudaDevice device = TestDevices.Cuda;
        byte[] bytes = TestBytes.Random(new Random(2), Length);
        using DeviceBuffer buffer = TestBytes.Upload(device, bytes);
        // A part of the allocation: its offset has to survive.
        using DeviceBuffer part = device.WrapMemory(buffer.Address + 512, Length - 1000);
        using Process child = IpcChild.Start(IpcChild.InvertCommand, Convert.ToBase64String(device.ExportMemory(part).ToBytes()));
        string output = child.StandardOutput.ReadToEnd();
        Assert.True(child.WaitForExit(TimeSpan.FromSeconds(60)), "The child did not end.");
        Assert.True(child.ExitCode == 0, $"The child failed: {output} {child.StandardError.ReadToEnd()}");
        for (int i = 512; i < Length - 488; i++)
            bytes[i] = (byte)~bytes[i];
        TestBytes.Same(bytes, TestBytes.Download(buffer), "memory another process inverted");
    }

    [Fact]
    public void AHandleOfADeadProcessIsRefused()
    {
        CudaDevice device = TestDevices.Cuda;
        using Process child = IpcChild.Start(IpcChild.ExportCommand, "");
        string exported = child.StandardOutput.ReadToEnd().Trim();
        Assert.True(child.WaitForExit(TimeSpan.FromSeconds(60)), "The child did not end.");
        Assert.True(child.ExitCode == 0, $"The child failed: {exported} {child.StandardError.ReadToEnd()}");
        IpcMemoryHandle handle = IpcMemoryHandle.Parse(Convert.FromBase64String(exported));
        Assert.Contains("has ended", Assert.Throws<CudaException>(() => device.ImportMemory(handle)).Message, StringComparison.Ordinal);
        // The device is as good as before.
        using DeviceBuffer buffer = device.Allocate(100);
    }

    [Fact]
    public void MemoryOfThisProcessIsUsedAsItIs()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceBuffer buffer = device.Allocate(1000);
        using DeviceBuffer imported = device.ImportMemory(device.ExportMemory(buffer));
        Assert.Equal(buffer.Address, imported.Address);
    }

    [Fact]
    public void AThousandMappingsLeakNoDeviceMemory()
    {
        CudaDevice device = TestDevices.Cuda;
        using Process child = IpcChild.Start(IpcChild.ExportAndStayCommand, "");
        IpcMemoryHandle handle = IpcMemoryHandle.Parse(Convert.FromBase64String(child.StandardOutput.ReadLine()!));
        device.ImportMemory(handle).Dispose();
        long before = device.Memory.FreeBytes;
        for (int i = 0; i < 1000; i++)
            device.ImportMemory(handle).Dispose();
        Assert.InRange(before - device.Memory.FreeBytes, long.MinValue, 4L << 20);
        child.StandardInput.Close();
        Assert.True(child.WaitForExit(TimeSpan.FromSeconds(60)), "The child did not end.");
    }

    [Fact]
    public void CpuMemoryIsSharedWithinItsAllocation()
    {
        CpuDevice device = TestDevices.Cpu;
        using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Random(new Random(4), 10_000));
        using DeviceBuffer part = device.WrapMemory(buffer.Address + 100, 5000);
        IpcMemoryHandle handle = IpcMemoryHandle.Parse(device.ExportMemory(part).ToBytes());
        using (DeviceBuffer mapped = device.MapMemory(handle))
        {
            Assert.NotEqual(part.Address, mapped.Address);
            TestBytes.Same(TestBytes.Download(part), TestBytes.Download(mapped), "mapped memory");
            mapped.Write([1, 2, 3], 4997);
            Assert.Equal([1, 2, 3], TestBytes.Download(part)[4997..]);
        }

        Assert.Throws<DescriptorException>(() => device.MapMemory(handle with { Offset = 6000 }));
        Assert.Throws<FabricException>(() => device.MapMemory(handle with { AllocationId = handle.AllocationId + 1 }));
        Assert.Contains("has ended", Assert.Throws<CudaException>(() => device.MapMemory(handle with { ProcessStart = 1 })).Message, StringComparison.Ordinal);
        using var host = new NativeBuffer(64);
        Assert.Throws<NotSupportedException>(() => device.ExportMemory(Wrap(device, host)));
        Assert.Throws<ArgumentException>(() => KernelDevice.OpenCpu().ExportMemory(buffer));
    }

    [Fact]
    public void ADmaBufOfABufferIsADescriptor()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceBuffer buffer = device.Allocate(2 << 20);
        using Microsoft.Win32.SafeHandles.SafeFileHandle descriptor = device.ExportDmaBuf(buffer);
        Assert.False(descriptor.IsInvalid);
        Assert.Contains("dmabuf", new FileInfo($"/proc/self/fd/{descriptor.DangerousGetHandle()}").LinkTarget, StringComparison.Ordinal);
        // Not whole pages of the host.
        using DeviceBuffer part = device.WrapMemory(buffer.Address, 100);
        Assert.Throws<CudaException>(() => device.ExportDmaBuf(part));
    }

    private static unsafe DeviceBuffer Wrap(CpuDevice device, NativeBuffer host) => device.WrapMemory((nint)host.Pointer, host.Length);
}
