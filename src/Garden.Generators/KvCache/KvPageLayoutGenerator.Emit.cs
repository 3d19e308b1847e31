using static Garden.Generators.EmittedCode;
using static Garden.Generators.KvCache.KvEmit;

namespace Garden.Generators.KvCache;

public sealed partial class KvPageLayoutGenerator
{
    private static string Emit(KvPageLayoutModel model)
    {
        KvLayout layout = model.Layout;
        string contract = $"{Kv}IKvPageLayout<{model.Type.Name}>";
        CodeWriter code = Begin(model.Type, contract);
        EmitConstants(code, contract, layout);
        EmitOffsets(code, layout);
        EmitCopies(code, model.Type.Name);
        code.Line("/// <summary>Streams whole pages between two pools of this layout.</summary>");
        code.Line(GeneratedCode);
        code.Open($"public readonly struct Transfer : {Kv}IKvTransfer<Transfer>");
        KvPlanEmitter.Emit(code, "Transfer", layout, layout);
        code.Close();
        return End(code, model.Type);
    }

    private static void EmitConstants(CodeWriter code, string contract, KvLayout layout)
    {
        Enumeration("KvElement", "Element", KvLayout.ElementNames[layout.Element], "Element type.");
        Int("ElementBytes", layout.ElementBytes, "Bytes per element.");
        Int("Layers", layout.Layers, "Number of layers.");
        Int("KvHeads", layout.KvHeads, "KV heads of the whole model; 1 for a latent.");
        Int("LocalKvHeads", layout.LocalKvHeads, "KV heads held by one rank.");
        Int("HeadSize", layout.HeadSize, "Elements per head; the latent size for a latent.");
        Int("TokensPerPage", layout.TokensPerPage, "Tokens per page.");
        Int("PlaneCount", layout.PlaneCount, "Planes per page: 2 for K and V, 1 for a latent.");
        Enumeration("KvPlanes", "Planes", KvLayout.PlanesNames[layout.Planes], "How K and V lie beside each other.");
        Enumeration("KvAxisOrder", "Axes", KvLayout.AxesNames[layout.Axes], "Axis order inside a plane.");
        Enumeration("KvPoolOrder", "PoolOrder", KvLayout.PoolOrderNames[layout.PoolOrder], "Outer axis of the pool.");
        Int("TensorParallel", layout.TensorParallel, "Tensor-parallel ranks.");
        Long("BytesPerToken", layout.BytesPerToken, "Bytes of one token in one layer, all planes.");
        Long("BytesPerPlane", layout.BytesPerPlane, "Bytes of one plane of one page in one layer.");
        Long("BytesPerPage", layout.BytesPerPage, "Bytes of one page in one layer, all planes.");
        Constant(code, contract, "ulong", "LayoutHash", $"0x{layout.Hash:x16}UL", "FNV-1a over the layout's fields.");

        void Int(string name, int value, string summary) => Constant(code, contract, "int", name, $"{value}", summary);
        void Long(string name, long value, string summary) => Constant(code, contract, "long", name, $"{value}L", summary);
        void Enumeration(string type, string name, string value, string summary) =>
            Constant(code, contract, Kv + type, name, $"{Kv}{type}.{value}", summary);
    }

    private static void EmitOffsets(CodeWriter code, KvLayout layout)
    {
        Method(code, $"public static long PoolBytes(int pages) => pages * {layout.Layers * layout.BytesPerPage}L;", inline: true);
        code.Line();

        string block = (layout.PoolOrder, layout.Planes) switch
        {
            (KvLayout.LayerMajor, KvLayout.Interleaved) => "(((((long)layer * poolPages) + page) * 2) + plane)",
            (KvLayout.LayerMajor, KvLayout.Separate) => "(((((long)layer * 2) + plane) * poolPages) + page)",
            (KvLayout.LayerMajor, _) => "(((long)layer * poolPages) + page + plane)",
            (_, KvLayout.Interleaved) => $"(((((long)page * {layout.Layers}) + layer) * 2) + plane)",
            (_, KvLayout.Separate) => $"(((((long)page * 2) + plane) * {layout.Layers}) + layer)",
            _ => $"(((long)page * {layout.Layers}) + layer + plane)",
        };
        Method(code, "public static long PlaneOffset(int poolPages, int layer, int page, int plane) =>", inline: true);
        code.Indented($"{block} * {layout.BytesPerPlane}L;");
        code.Line();

        Method(code, "public static long ElementOffset(int token, int head) =>", inline: true);
        code.Indented($"(token * {layout.TokenStride}L) + (head * {layout.HeadStride}L);");
        code.Line();
    }

    private static void EmitCopies(CodeWriter code, string name)
    {
        Method(code, $"public static void Gather({Bytes} pool, int poolPages, int layer, {Ints} pages, int tokens, {WritableBytes} destination) =>");
        code.Indented($"{Kv}KvPageCopy.Gather<{name}>(pool, poolPages, layer, pages, tokens, destination);");
        code.Line();
        Method(code, $"public static void Scatter({Bytes} source, {WritableBytes} pool, int poolPages, int layer, {Ints} pages, int tokens) =>");
        code.Indented($"{Kv}KvPageCopy.Scatter<{name}>(source, pool, poolPages, layer, pages, tokens);");
        code.Line();
    }
}
