using Garden.Kernels.Compilation;
using Garden.Kernels.KvCache;
using Garden.Kernels.Tests.KvCache;

namespace Garden.Kernels.Tests.Device;

/// <summary>What the kernels are for the driver: checked without one, because ILGPU compiles anywhere.</summary>
public sealed class PtxTests
{
    private static readonly (int Major, int Minor) s_hopper = (9, 0);

    [Fact]
    public void GatherLoadsAndStoresSixteenBytesWithoutLocalMemory() =>
        Wide(PtxCompiler.Compile<KvGatherArgs>(MappedCopy<KvGather<DeepSeek>, KvGatherArgs, Access16>.Run, s_hopper));

    [Fact]
    public void ScatterLoadsAndStoresSixteenBytesWithoutLocalMemory() =>
        Wide(PtxCompiler.Compile<KvGatherArgs>(MappedCopy<KvScatter<QwenHnd>, KvGatherArgs, Access16>.Run, s_hopper));

    [Fact]
    public void PageCopyLoadsAndStoresSixteenBytesWithoutLocalMemory() =>
        Wide(PtxCompiler.Compile<KvPageCopyArgs>(MappedCopy<KvPageCopyMap<LlamaTp1>, KvPageCopyArgs, Access16>.Run, s_hopper));

    [Fact]
    public void ConversionLoadsAndStoresSixteenBytesWithoutLocalMemory() =>
        Wide(PtxCompiler.Compile<KvConvertArgs>(MappedCopy<KvConvert<QwenTp2, QwenHnd>, KvConvertArgs, Access16>.Run, s_hopper));

    [Fact]
    public void WriteListsLoadAndStoreSixteenBytesWithoutLocalMemory() => Wide(PtxCompiler.Compile<ExecuteWritesArgs>(ExecuteWrites.Run, s_hopper));

    [Fact]
    public void LayoutConstantsAreConstants()
    {
        string text = PtxCompiler.Compile<KvGatherArgs>(MappedCopy<KvGather<DeepSeek>, KvGatherArgs, Access16>.Run, s_hopper).Text;
        // Vectors of a page, and bytes of a page.
        Assert.Contains($", {DeepSeek.BytesPerPlane / 16};", text, StringComparison.Ordinal);
        Assert.Contains($", {DeepSeek.BytesPerPlane};", text, StringComparison.Ordinal);
    }

    [Fact]
    public void ASignalIsAStoreReleaseOfTheSystem()
    {
        PtxKernel kernel = PtxCompiler.Compile<SignalProgressArgs>(SignalProgress.Run, s_hopper);
        Assert.Contains("st.release.sys.global.u64", kernel.Text, StringComparison.Ordinal);
        Assert.Contains(".target sm_90", kernel.Text, StringComparison.Ordinal);
        Assert.Contains($".entry {kernel.EntryPoint}(", kernel.Text, StringComparison.Ordinal);
        Assert.Equal("SignalProgress.Run", kernel.Name);
        // A device newer than what ILGPU's PTX knows gets Hopper's.
        Assert.Contains(".target sm_90", PtxCompiler.Compile<SignalProgressArgs>(SignalProgress.Run, (12, 0)).Text, StringComparison.Ordinal);
        Assert.Contains(".target sm_80", PtxCompiler.Compile<SignalProgressArgs>(SignalProgress.Run, (8, 0)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void PlainLocalsBecomeRegisters()
    {
        string promoted = PtxLocals.Promote(Module("\tst.local.b32\t[%rd1], 0;\n\t@%p1 st.local.b32\t[%rd1], %r7;\n\tld.local.b32\t%r8, [%rd1];\n"));
        Assert.DoesNotContain("local.", promoted, StringComparison.Ordinal);
        Assert.DoesNotContain("%rd1,", promoted, StringComparison.Ordinal);
        Assert.Contains("\t.reg .b32 %__local_depot0;\n", promoted, StringComparison.Ordinal);
        Assert.Contains("\tmov.b32\t%__local_depot0, 0;\n\t@%p1 mov.b32\t%__local_depot0, %r7;\n\tmov.b32\t%r8, %__local_depot0;\n", promoted, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\tadd.s64\t%rd9, %rd1, 4;\n")]
    [InlineData("\tst.local.b16\t[%rd1], %rs1;\n")]
    [InlineData("\tst.local.b32\t[%rd1+4], %r1;\n")]
    [InlineData("\tst.local.b64\t[%rd2], %rd1;\n")]
    [InlineData("\tmov.b64\t%rd1, __local_depot1;\n")]
    [InlineData("\tcall use, (%rd1);\n")]
    public void LocalsWhoseAddressIsUsedStay(string use)
    {
        string module = Module("\tst.local.b32\t[%rd1], 0;\n" + use);
        Assert.Contains(".local .align 4 .b8 __local_depot0[4];", PtxLocals.Promote(module), StringComparison.Ordinal);
    }

    [Fact]
    public void RegistersWithLongerNamesAreOthers()
    {
        string promoted = PtxLocals.Promote(Module("\tst.local.b32\t[%rd1], 0;\n\tadd.s64\t%rd11, %rd12, 4;\n"));
        Assert.Contains("mov.b32\t%__local_depot0, 0;", promoted, StringComparison.Ordinal);
    }

    private static string Module(string body) =>
        "\t.local .align 4 .b8 __local_depot0[4];\n\t.local .align 4 .b8 __local_depot1[8];\n\tmov.b64\t%rd1, __local_depot0;\n" + body + "\tret;\n";

    private static void Wide(PtxKernel kernel)
    {
        Assert.Contains("ld.global.L1::no_allocate.v4.u32", kernel.Text, StringComparison.Ordinal);
        Assert.Contains("st.global.v4.u32", kernel.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(".local", kernel.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("call", kernel.Text, StringComparison.Ordinal);
    }
}
