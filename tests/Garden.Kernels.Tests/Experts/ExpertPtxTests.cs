using Garden.Kernels.Compilation;
using Garden.Kernels.Experts;

namespace Garden.Kernels.Tests.Experts;

/// <summary>What the kernels of a real model are for the driver: no local memory, wide accesses, flags at the scope of the system.</summary>
public sealed class ExpertPtxTests
{
    private static readonly (int Major, int Minor) s_hopper = (9, 0);

    [Fact]
    public void QuantisingSend()
    {
        string text = Check(DispatchSend<DeepSeekFp8, QuantizedRows<DeepSeekFp8>, NoTrace>.Run);
        Assert.Contains("cvt.rn.satfinite.e4m3x2.f32", text, StringComparison.Ordinal);
        Assert.Contains("shfl.sync.bfly", text, StringComparison.Ordinal);
        Assert.Contains("fence.acq_rel.sys;", text, StringComparison.Ordinal);
        Assert.Contains("st.relaxed.sys.global.u32", text, StringComparison.Ordinal);
        Assert.Contains("atom.acq_rel.gpu", text, StringComparison.Ordinal);
    }

    [Fact]
    public void FewTokens()
    {
        Assert.Contains("redux.sync.or.b32", Check(DispatchSendFew<DeepSeekFp8, QuantizedRows<DeepSeekFp8>, NoTrace>.Run), StringComparison.Ordinal);
        Check(DispatchSendFew<DeepSeekBf16, CopiedRows<DeepSeekBf16>, NoTrace>.Run);
        Check(DispatchReceive<DeepSeekFp8, FewTokens, NoTrace>.Run);
        Check(CombineSend<DeepSeekFp8, FewTokens, NoTrace>.Run);
    }

    [Fact]
    public void CopyingSend() => Check(DispatchSend<DeepSeekBf16, CopiedRows<DeepSeekBf16>, NoTrace>.Run);

    [Fact]
    public void Receive() => Assert.Contains("ld.acquire.sys.global.u32", Check(DispatchReceive<DeepSeekFp8, ManyTokens, NoTrace>.Run), StringComparison.Ordinal);

    [Fact]
    public void WeightedSums()
    {
        string text = Check(CombineSend<DeepSeekFp8, ManyTokens, NoTrace>.Run);
        Assert.Contains("fma.rn.f32", text, StringComparison.Ordinal);
        Assert.Contains("cvt.rn.bf16x2.f32", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Sums() => Assert.Contains("add.rn.f32", Check(CombineReceive<DeepSeekFp8, NoTrace>.Run), StringComparison.Ordinal);

    [Fact]
    public void EachExpertsResult()
    {
        Check(DispatchSend<DeepSeekExact, QuantizedRows<DeepSeekExact>, NoTrace>.Run);
        Check(DispatchReceive<DeepSeekExact, ManyTokens, NoTrace>.Run);
        Assert.DoesNotContain("fma.rn.f32", Check(CombineSend<DeepSeekExact, ManyTokens, NoTrace>.Run), StringComparison.Ordinal);
        Assert.Contains("fma.rn.f32", Check(CombineReceive<DeepSeekExact, NoTrace>.Run), StringComparison.Ordinal);
    }

    [Fact]
    public void BothHalves()
    {
        Check(FusedDispatch<DeepSeekFp8, QuantizedRows<DeepSeekFp8>>.Run);
        Check(FusedCombine<DeepSeekFp8>.Run);
    }

    /// <summary>Drivers refuse a module with one instruction that its target does not have.</summary>
    [Fact]
    public void OlderDevicesAreGivenWhatTheyHave()
    {
        string[] hopper = ["griddepcontrol", "max.u16x2", "e4m3x2"];
        foreach (Action<ExpertKernelArgs> kernel in new Action<ExpertKernelArgs>[] { DispatchSend<DeepSeekFp8, QuantizedRows<DeepSeekFp8>, NoTrace>.Run, DispatchSendFew<DeepSeekFp8, QuantizedRows<DeepSeekFp8>, NoTrace>.Run })
        {
            string newest = PtxCompiler.Compile(kernel, s_hopper).Text, older = PtxCompiler.Compile(kernel, (8, 0)).Text;
            Assert.All(hopper, instruction => Assert.Contains(instruction, newest, StringComparison.Ordinal));
            Assert.All(hopper, instruction => Assert.DoesNotContain(instruction, older, StringComparison.Ordinal));
            Assert.Contains(".target sm_80", older, StringComparison.Ordinal);
            Assert.Matches(@"max\.u32 g_high, g_high, g_other; shl\.b32 g_high, g_high, 16; or\.b32 %\w+, g_low, g_high; }", older);
            Assert.DoesNotContain("${", older, StringComparison.Ordinal);
        }
    }

    private static string Check(Action<ExpertKernelArgs> kernel)
    {
        string text = PtxCompiler.Compile(kernel, s_hopper).Text;
        if (Environment.GetEnvironmentVariable("GARDEN_PTX") is { Length: > 0 } folder)
            File.WriteAllText(Path.Combine(folder, $"{PtxCompiler.NameOf(kernel.Method)}.ptx"), text);
        Assert.Contains("ld.global.L1::no_allocate.v4.u32", text, StringComparison.Ordinal);
        Assert.Contains("st.global.v4.u32", text, StringComparison.Ordinal);
        Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
        Assert.DoesNotContain("call", text, StringComparison.Ordinal);
        return text;
    }
}
