using System.Runtime.InteropServices;
using Garden.Kernels.Weights;
using Garden.Weights;

namespace Garden.Kernels.Tests.Weights;

/// <summary>The conversion kernel against the scalar reference, bit for bit, with poisoned outputs.</summary>
public abstract class Float8BlockKernelTests
{
    private const int Guard = 64;

    protected abstract KernelDevice Device { get; }

    /// <summary>Rows and columns at and around blocks, at addresses that allow wide accesses and such that do not.</summary>
    [Theory]
    [InlineData(128, 128, 0)]
    [InlineData(128, 256, 0)]
    [InlineData(129, 136, 0)]
    [InlineData(127, 120, 0)]
    [InlineData(1, 1, 0)]
    [InlineData(3, 131, 0)]
    [InlineData(128, 128, 2)]
    [InlineData(128, 132, 0)]
    [InlineData(256, 128, 1)]
    [InlineData(200, 264, 0)]
    public void SizesAndAlignments(int rows, int columns, int skew)
    {
        Check(Float8Values.Of(rows * columns, rows, Float8Values.LikeWeights), rows, columns, skew);
        Check(Float8Values.Of(rows * columns, columns, Float8Values.AnyBits), rows, columns, skew);
    }

    [Fact]
    public void AllBFloat16Values() => Check([.. Enumerable.Range(0, 1 << 16).Select(static bits => (ushort)bits)], 128, 512, 0);

    /// <summary>Each block of its own kind: finite, with infinities and NaNs, zero, tiny, huge.</summary>
    [Fact]
    public void BlocksOfDifferentKindsSideBySide()
    {
        const int Rows = 128, Columns = 128 * Float8Values.Kinds;
        var values = new ushort[Rows * Columns];
        for (int kind = 0; kind < Float8Values.Kinds; kind++)
        {
            ushort[] block = Float8Values.Of(Rows * 128, kind, kind);
            for (int row = 0; row < Rows; row++)
                block.AsSpan(row * 128, 128).CopyTo(values.AsSpan((row * Columns) + (kind * 128)));
        }

        Check(values, Rows, Columns, 0);
    }

    [Fact]
    public void RangesOutsideTheBuffersAreRefused()
    {
        using var kernel = new Float8BlockKernel(Device);
        using DeviceBuffer source = Device.Allocate(128 * 128 * 2), destination = Device.Allocate(128 * 128), scales = Device.Allocate(4);
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Convert(Device.DefaultStream, source, 2, 128, 128, destination, 0, scales, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Convert(Device.DefaultStream, source, 0, 128, 128, destination, 1, scales, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Convert(Device.DefaultStream, source, 0, 127, 129, destination, 0, scales, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Convert(Device.DefaultStream, source, 1, 1, 1, destination, 0, scales, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Convert(Device.DefaultStream, source, 0, 0, 128, destination, 0, scales, 0));
    }

    [Theory]
    [InlineData(130, 264)]
    [InlineData(64, 12)]
    public void MatricesOneBehindTheOther(int rows, int columns) => Check(Float8Values.Of(3 * rows * columns, 9, Float8Values.AnyBits), rows, columns, 0, matrices: 3);

    private void Check(ushort[] values, int rows, int columns, int skew, int matrices = 1)
    {
        int blocks = (int)Float8Blocks.ScalesOf(1, columns), perMatrix = (int)Float8Blocks.ScalesOf(rows, 1), strips = perMatrix * matrices;
        byte[] expected = TestBytes.Poisoned((2 * Guard) + values.Length), expectedScales = TestBytes.Poisoned((2 * Guard) + (4 * blocks * strips));
        for (int strip = 0; strip < strips; strip++)
        {
            int inMatrix = strip % perMatrix * Float8Blocks.Size, first = (strip / perMatrix * rows) + inMatrix, height = Math.Min(Float8Blocks.Size, rows - inMatrix);
            Float8BlocksReference.ConvertRow(
                values.AsSpan(first * columns, height * columns),
                height,
                columns,
                expected.AsSpan(Guard + skew + (first * columns), height * columns),
                MemoryMarshal.Cast<byte, float>(expectedScales.AsSpan(Guard + (4 * strip * blocks), 4 * blocks)));
        }

        using var kernel = new Float8BlockKernel(Device);
        using DeviceBuffer source = Device.Allocate((2 * values.Length) + Guard);
        source.Write(MemoryMarshal.AsBytes(values.AsSpan()), 2 * skew);
        using DeviceBuffer destination = TestBytes.Upload(Device, TestBytes.Poisoned(expected.Length)), scales = TestBytes.Upload(Device, TestBytes.Poisoned(expectedScales.Length));
        kernel.Convert(Device.DefaultStream, source, 2 * skew, rows, columns, destination, Guard + skew, scales, Guard, matrices);
        TestBytes.Same(expectedScales, TestBytes.Download(scales), $"scales of {rows} x {columns}");
        TestBytes.Same(expected, TestBytes.Download(destination), $"elements of {rows} x {columns}, {skew} off");
    }
}

/// <summary>Groups of 8 threads: every block element by element.</summary>
public sealed class CpuFloat8BlockKernelTests : Float8BlockKernelTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

/// <summary>Groups of 256 threads: whole blocks in registers, as on a GPU.</summary>
public sealed class CpuWideFloat8BlockKernelTests : Float8BlockKernelTests
{
    private static readonly Lazy<CpuDevice> s_device = new(static () => KernelDevice.OpenCpu(multiprocessors: 1, threadsPerGroup: Float8Convert.GroupThreads));

    protected override KernelDevice Device => s_device.Value;
}

public sealed class CudaFloat8BlockKernelTests : Float8BlockKernelTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
