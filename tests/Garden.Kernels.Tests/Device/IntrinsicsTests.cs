using System.Buffers.Binary;
using Garden.Kernels.Tests.Kernels;

namespace Garden.Kernels.Tests.Device;

/// <summary>Loads, stores, flags and adds do what their names say on every device.</summary>
public abstract class IntrinsicsTests
{
    protected abstract KernelDevice Device { get; }

    [Fact]
    public void EveryWidthMovesItsBytesAndNoOthers()
    {
        Move<Access16>();
        Move<Access8>();
        Move<Access4>();
        Move<Access2>();
        Move<Access1>();
    }

    [Fact]
    public void FlagsKeepTheirValues()
    {
        using DeviceKernel<CountArgs> kernel = Device.Load<CountArgs>(CountKernels.Flags);
        using DeviceBuffer memory = Device.Allocate(64);
        memory.Write(new byte[64]);
        kernel.Launch(Device.DefaultStream, new LaunchShape(1, 4), new CountArgs { Counter = (ulong)memory.Address });
        byte[] bytes = TestBytes.Download(memory);
        Assert.Equal(11u, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(32)));
        Assert.Equal(12u, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(36)));
        Assert.Equal(0x1_0000_000DuL, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(40)));
    }

    [Fact]
    public void NoAddIsLost()
    {
        using DeviceKernel<CountArgs> kernel = Device.Load<CountArgs>(CountKernels.AddAll);
        using DeviceBuffer memory = Device.Allocate(4);
        memory.Write(new byte[4]);
        LaunchShape shape = kernel.ShapeFor(256);
        kernel.Launch(Device.DefaultStream, shape, new CountArgs { Counter = (ulong)memory.Address, Times = 20 });
        Assert.Equal(shape.Groups * shape.GroupThreads * 40, BinaryPrimitives.ReadInt32LittleEndian(TestBytes.Download(memory)));
    }

    private void Move<TAccess>()
        where TAccess : unmanaged, IAccess
    {
        using DeviceKernel<WidthArgs> kernel = Device.Load<WidthArgs>(WidthKernel<TAccess>.Run);
        byte[] source = TestBytes.Random(new Random(TAccess.Bytes), 64), target = TestBytes.Poisoned(64);
        using DeviceBuffer from = TestBytes.Upload(Device, source), to = TestBytes.Upload(Device, target);
        int at = TAccess.Bytes * (32 / TAccess.Bytes);
        kernel.Launch(Device.DefaultStream, new LaunchShape(1, 1), new WidthArgs { Source = (ulong)from.Address + 16, Destination = (ulong)(to.Address + at) });
        source.AsSpan(16, TAccess.Bytes).CopyTo(target.AsSpan(at));
        TestBytes.Same(target, TestBytes.Download(to), typeof(TAccess).Name);
    }
}

public sealed class CpuIntrinsicsTests : IntrinsicsTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaIntrinsicsTests : IntrinsicsTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
