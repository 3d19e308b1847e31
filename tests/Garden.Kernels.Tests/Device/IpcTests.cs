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
    public void AProcessIsKnownByItsStart()
    {
        Assert.NotNull(ProcessIdentity.StartOf(Environment.ProcessId));
        Assert.Equal(ProcessIdentity.StartOf(Environment.ProcessId), ProcessIdentity.StartOf(Environment.ProcessId));
        Assert.Null(ProcessIdentity.StartOf(int.MaxValue));
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
}
