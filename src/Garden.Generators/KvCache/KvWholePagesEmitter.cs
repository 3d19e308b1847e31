using static Garden.Generators.EmittedCode;
using static Garden.Generators.KvCache.KvEmit;

namespace Garden.Generators.KvCache;

/// <summary>
/// Counting and expansion of a plan between equal layouts. A canonical run is what one page holds in one piece whatever
/// the pages are: layer-major, a page of a layer (or of one of its planes if they are separate); page-major, the layers of
/// a page (or of one of its planes, unless all layers go).
/// </summary>
internal static class KvWholePagesEmitter
{
    public static void Emit(CodeWriter code, string name, KvLayout layout)
    {
        bool separate = layout.Planes == KvLayout.Separate;
        if (layout.PoolOrder == KvLayout.LayerMajor)
            EmitLayerMajor(code, name, layout, separate ? 2 : 1, separate ? layout.BytesPerPlane : layout.BytesPerPage);
        else
            EmitPageMajor(code, name, layout, separate);
        EmitPages(code, layout);
    }

    private static void EmitLayerMajor(CodeWriter code, string name, KvLayout layout, int blocksPerLayer, long runBytes)
    {
        string blocks = blocksPerLayer == 1 ? "" : $" * {blocksPerLayer}";
        Method(code, $"public static long CountUnits(in {name} plan) =>");
        code.Indented($"(long)PagesOf(in plan._arguments) * plan._arguments.LayerCount{blocks} * {UnitsOfRun(runBytes, "plan._arguments")};");
        code.Line();
        EmitCountBytes(code, name, layout);

        EmitExpandHead(code, name);
        code.Line($"uint units = {UnitsOfRun(runBytes, "arguments", "u")};");
        code.Line(blocksPerLayer == 2
            ? "// A block is the pages of one plane of one layer, and the planes of a layer are neighbours."
            : "// A block is the pages of one layer.");
        code.Line($"long sourceBlockBytes = arguments.SourcePoolPages * {runBytes}L;");
        code.Line($"long destinationBlockBytes = arguments.DestinationPoolPages * {runBytes}L;");
        code.Line($"int firstBlock = arguments.FirstLayer{blocks};");
        code.Line($"int endBlock = firstBlock + (arguments.LayerCount{blocks});");
        code.Line("int block = firstBlock + (int)cursor.Middle;");
        code.Line("int page = (int)cursor.Position;");
        code.Open("for (; block < endBlock; block++, page = 0)");
        code.Line("long source = sourceOffset + (block * sourceBlockBytes);");
        code.Line("long destination = destinationOffset + (block * destinationBlockBytes);");
        code.Open("for (; page < sourcePages.Length; page++)");
        code.Open($"if (!writer.TryAdd(source + (sourcePages[page] * {runBytes}L), destination + (destinationPages[page] * {runBytes}L), {runBytes}L, units))");
        code.Line("cursor.Position = page;");
        code.Line("cursor.Middle = block - firstBlock;");
        code.Line("return writer.Written;");
        code.Close();
        code.Close();
        code.Close();
        EmitExpandTail(code);
    }

    private static void EmitPageMajor(CodeWriter code, string name, KvLayout layout, bool separate)
    {
        long layerBytes = separate ? layout.BytesPerPlane : layout.BytesPerPage;
        long pageBytes = layout.Layers * layout.BytesPerPage;
        string parts = separate ? " * PartsOf(in plan._arguments)" : "";
        Method(code, $"public static long CountUnits(in {name} plan) =>");
        code.Indented($"(long)PagesOf(in plan._arguments){parts} * (plan._arguments.Immediate.IsNumber ? 1 : {Root}TransferUnits.OfRun(RunBytesOf(in plan._arguments)));");
        code.Line();
        EmitCountBytes(code, name, layout);

        EmitExpandHead(code, name);
        code.Line("long length = RunBytesOf(in arguments);");
        code.Line($"uint units = arguments.Immediate.IsNumber ? 1u : (uint){Root}TransferUnits.OfRun(length);");
        code.Line($"sourceOffset += arguments.FirstLayer * {layerBytes}L;");
        code.Line($"destinationOffset += arguments.FirstLayer * {layerBytes}L;");
        if (separate)
        {
            code.Line("int parts = PartsOf(in arguments);");
            code.Line("int part = (int)cursor.Inner;");
        }

        code.Line("int page = (int)cursor.Position;");
        code.Open($"if (arguments.LayerCount == {layout.Layers})");
        code.Line("// All there is between two page numbers: pages that are neighbours on both sides are one write.");
        EmitPages("TryAdd");
        code.Close();
        code.Open("else");
        EmitPages("TryAddApart");
        code.Close();
        EmitExpandTail(code);

        if (separate)
        {
            code.Line("/// <summary>Runs a page: one a plane, or one when all layers go, because then the planes touch.</summary>");
            code.Line($"private static int PartsOf({KvEmit.Arguments}) => arguments.LayerCount == {layout.Layers} ? 1 : 2;");
            code.Line();
        }

        code.Line("/// <summary>The bytes of a run: the layers that move, which are neighbours in a page.</summary>");
        code.Line(separate
            ? $"private static long RunBytesOf({KvEmit.Arguments}) => arguments.LayerCount == {layout.Layers} ? {pageBytes}L : arguments.LayerCount * {layerBytes}L;"
            : $"private static long RunBytesOf({KvEmit.Arguments}) => arguments.LayerCount * {layerBytes}L;");
        code.Line();

        void EmitPages(string add)
        {
            code.Open(separate ? "for (; page < sourcePages.Length; page++, part = 0)" : "for (; page < sourcePages.Length; page++)");
            code.Line($"long source = sourceOffset + (sourcePages[page] * {pageBytes}L);");
            code.Line($"long destination = destinationOffset + (destinationPages[page] * {pageBytes}L);");
            string run = "source, destination, length, units";
            if (separate)
            {
                code.Open("for (; part < parts; part++)");
                run = $"source + (part * {pageBytes / 2}L), destination + (part * {pageBytes / 2}L), length, units";
            }

            code.Open($"if (!writer.{add}({run}))");
            code.Line("cursor.Position = page;");
            if (separate)
                code.Line("cursor.Inner = part;");
            code.Line("return writer.Written;");
            code.Close();
            if (separate)
                code.Close();
            code.Close();
        }
    }

    private static void EmitCountBytes(CodeWriter code, string name, KvLayout layout)
    {
        Method(code, $"public static long CountBytes(in {name} plan) =>");
        code.Indented($"(long)PagesOf(in plan._arguments) * plan._arguments.LayerCount * {layout.BytesPerPage}L;");
        code.Line();
    }

    private static void EmitExpandHead(CodeWriter code, string name)
    {
        OpenMethod(code, ExpandOf(name));
        code.Line($"ref readonly {Kv}KvTransferArguments arguments = ref plan._arguments;");
        code.Line("int pages = PagesOf(in arguments);");
        code.Open("if (pages == 0)");
        code.Line("cursor.IsCompleted = true;");
        code.Close();
        code.Line();
        code.Open("if (cursor.IsCompleted || descriptors.IsEmpty)");
        code.Line("return 0;");
        code.Close();
        code.Line();
        code.Line("int firstPage = FirstPageOf(in arguments);");
        code.Line($"{Ints} sourcePages = arguments.SourcePages.Span.Slice(firstPage, pages);");
        code.Line($"{Ints} destinationPages = arguments.DestinationPages.Span.Slice(firstPage, pages);");
        code.Line("long sourceOffset = arguments.SourceOffset;");
        code.Line("long destinationOffset = arguments.DestinationOffset;");
        code.Line($"{Kv}KvRunWriter writer = new {Kv}KvRunWriter(in arguments, descriptors);");
    }

    private static void EmitExpandTail(CodeWriter code)
    {
        code.Line();
        code.Line("cursor.IsCompleted = true;");
        code.Line("return writer.Written;");
        code.Close();
        code.Line();
    }

    private static void EmitPages(CodeWriter code, KvLayout layout)
    {
        int tokens = layout.TokensPerPage;
        code.Line($"private static int FirstPageOf({KvEmit.Arguments}) => arguments.FirstToken / {tokens};");
        code.Line();
        code.Line("/// <summary>The pages the token range touches; none when the ranks hold different heads, or equal ones of which another rank sends.</summary>");
        code.Line($"private static int PagesOf({KvEmit.Arguments}) =>");
        code.Indented("arguments.TokenCount <= 0 || arguments.LayerCount <= 0 || arguments.SourceRank != arguments.DestinationRank");
        code.Indented("    ? 0");
        code.Indented($"    : ((arguments.FirstToken + arguments.TokenCount - 1) / {tokens}) + 1 - FirstPageOf(in arguments);");
    }

    private static string UnitsOfRun(long bytes, string arguments, string suffix = "")
    {
        long units = ((bytes - 1) >> 16) + 1;
        return units == 1 ? $"1{suffix}" : $"({arguments}.Immediate.IsNumber ? 1{suffix} : {units}{suffix})";
    }
}
