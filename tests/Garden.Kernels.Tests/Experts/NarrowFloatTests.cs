using System.Runtime.InteropServices;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Kernels.Tests.Kernels;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Conversions on the device against formats by their definition, for every narrow number and for single-precision ones around every tie.</summary>
public abstract class NarrowFloatTests
{
    protected abstract KernelDevice Device { get; }

    [Fact]
    public void EveryNarrowNumberBecomesItself()
    {
        uint[] words = [.. Enumerable.Range(0, 65536).Select(static bits => (uint)bits)];
        uint[] results = Run(words, NarrowFloatKernel.Widen, 3);
        for (int i = 0; i < words.Length; i++)
        {
            Same((float)FloatFormat.BFloat16.Decode(words[i]), results[3 * i], $"bfloat16 {words[i]:x4}, lower half");
            Same((float)FloatFormat.BFloat16.Decode(words[i]), results[(3 * i) + 1], $"bfloat16 {words[i]:x4}, upper half");
            Same((float)FloatFormat.Half.Decode(words[i]), results[(3 * i) + 2], $"half {words[i]:x4}");
        }
    }

    [Fact]
    public void SinglesAreRoundedToNearestEven()
    {
        uint[] words = [.. Singles()];
        uint[] results = Run(words, NarrowFloatKernel.Narrow, 3);
        for (int i = 0; i < words.Length; i++)
        {
            float value = BitConverter.UInt32BitsToSingle(words[i]);
            Assert.True(FloatFormat.BFloat16.Encode(value) == results[3 * i], $"{value:r} ({words[i]:x8}) became bfloat16 {results[3 * i]:x4}, not {FloatFormat.BFloat16.Encode(value):x4}");
            Assert.True(FloatFormat.Half.Encode(value) == results[(3 * i) + 1], $"{value:r} ({words[i]:x8}) became half {results[(3 * i) + 1]:x4}, not {FloatFormat.Half.Encode(value):x4}");
            Assert.True(FloatFormat.Float8.Encode(value) == results[(3 * i) + 2], $"{value:r} ({words[i]:x8}) became e4m3 {results[(3 * i) + 2]:x2}, not {FloatFormat.Float8.Encode(value):x2}");
        }
    }

    [Fact]
    public void ArithmeticRoundsOnce()
    {
        var random = new Random(7);
        uint[] words = [.. Enumerable.Range(0, 4096 * 3).Select(_ => BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * Math.ScaleB(1, random.Next(-40, 40)))))];
        // Sums that lie next to a tie of single precision, by less than a double sees: rounding twice would go wrong.
        (float, float, float)[] ties = [(1 + MathF.ScaleB(1, -12), 1 + MathF.ScaleB(1, -12), MathF.ScaleB(1, -80)), (1 + MathF.ScaleB(1, -12), 1 + MathF.ScaleB(1, -12), -MathF.ScaleB(1, -80)), (-1 - MathF.ScaleB(1, -12), 1 + MathF.ScaleB(1, -12), MathF.ScaleB(1, -90))];
        for (int i = 0; i < ties.Length; i++)
            (words[3 * i], words[(3 * i) + 1], words[(3 * i) + 2]) = (BitConverter.SingleToUInt32Bits(ties[i].Item1), BitConverter.SingleToUInt32Bits(ties[i].Item2), BitConverter.SingleToUInt32Bits(ties[i].Item3));
        uint[] results = Run(words, NarrowFloatKernel.Arithmetic, 4, 3);
        for (int i = 0; i < words.Length / 3; i++)
        {
            float a = BitConverter.UInt32BitsToSingle(words[3 * i]), b = BitConverter.UInt32BitsToSingle(words[(3 * i) + 1]), c = BitConverter.UInt32BitsToSingle(words[(3 * i) + 2]);
            Same(a + b, results[4 * i], $"{a:r} + {b:r}");
            Same(a * b, results[(4 * i) + 1], $"{a:r} * {b:r}");
            Same(a / b, results[(4 * i) + 2], $"{a:r} / {b:r}");
            Same(MathF.FusedMultiplyAdd(a, b, c), results[(4 * i) + 3], $"{a:r} * {b:r} + {c:r}");
        }
    }

    /// <summary>Every number of the formats, the ties between neighbours, their neighbours, and what is beyond the largest.</summary>
    private static IEnumerable<uint> Singles()
    {
        foreach (FloatFormat format in new[] { FloatFormat.BFloat16, FloatFormat.Half, FloatFormat.Float8 })
        {
            for (uint code = 0; code < 1u << format.Bits; code += format.Bits == 8 ? 1u : 7u)
            {
                uint bits = BitConverter.SingleToUInt32Bits((float)format.Decode(code)), next = BitConverter.SingleToUInt32Bits((float)format.Decode(code + 1));
                uint tie = (uint)(((ulong)bits + next) / 2);
                foreach (uint word in new[] { bits, bits + 1, bits - 1, tie, tie + 1, tie - 1 })
                    yield return word;
            }
        }

        foreach (float value in new[] { 448f, 449f, 463.9f, 464f, 465f, 65504f, 65519.99f, 65520f, 3.3e38f, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon, -0f })
            yield return BitConverter.SingleToUInt32Bits(value);
    }

    private uint[] Run(uint[] words, Action<NarrowFloatArgs> kernel, int results, int inputs = 1)
    {
        using DeviceKernel<NarrowFloatArgs> loaded = Device.Load(kernel);
        using DeviceBuffer from = TestBytes.Upload(Device, MemoryMarshal.AsBytes(words.AsSpan())), to = Device.Allocate(words.Length / inputs * results * 4L);
        loaded.Launch(Device.DefaultStream, loaded.ShapeFor(words.Length), new NarrowFloatArgs { Source = (ulong)from.Address, Destination = (ulong)to.Address, Count = words.Length / inputs });
        return MemoryMarshal.Cast<byte, uint>(TestBytes.Download(to).AsSpan()).ToArray();
    }

    /// <summary>A NaN's bits are not promised in single precision.</summary>
    private static void Same(float expected, uint bits, string what) => Assert.True(
        float.IsNaN(expected) ? float.IsNaN(BitConverter.UInt32BitsToSingle(bits)) : BitConverter.SingleToUInt32Bits(expected) == bits,
        $"{what} became {bits:x8}, not {BitConverter.SingleToUInt32Bits(expected):x8}");
}

public sealed class CpuNarrowFloatTests : NarrowFloatTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaNarrowFloatTests : NarrowFloatTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
