using Garden.Kernels.Compilation;
using Garden.Kernels.Weights;

namespace Garden.Kernels.Tests.Weights;

/// <summary>What the conversion is for the driver.</summary>
public sealed class WeightPtxTests
{
    [Fact]
    public void ConversionReadsSixteenBytesOnceAndKeepsThemInRegisters()
    {
        string text = PtxCompiler.Compile<Float8ConvertArgs>(Float8Convert.Run, (9, 0)).Text;
        if (Environment.GetEnvironmentVariable("GARDEN_PTX") is { Length: > 0 } folder)
            File.WriteAllText(Path.Combine(folder, "Float8Convert.ptx"), text);
        // A whole block's; a block's at an edge, twice read, once written.
        Assert.Equal(8 + 2, text.Split("ld.global.L1::no_allocate.v4.u32").Length - 1);
        Assert.Equal(8 + 1, text.Split("st.global.u64").Length - 1);
        Assert.Contains("cvt.rn.satfinite.e4m3x2.f32", text, StringComparison.Ordinal);
        Assert.Contains("shfl.sync.bfly", text, StringComparison.Ordinal);
        Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
        Assert.DoesNotContain("call", text, StringComparison.Ordinal);
    }
}
