using static Garden.Generators.EmittedCode;
using static Garden.Generators.KvCache.KvEmit;

namespace Garden.Generators.KvCache;

/// <summary>
/// Counting and expansion of a plan between different layouts. The loops follow the source's addresses, so that runs
/// which touch on both sides come one behind the other; <see cref="KvRunShape"/> says what a canonical run is.
/// </summary>
internal static class KvTokensEmitter
{
    public static void Emit(CodeWriter code, string name, KvLayout from, KvLayout to)
    {
        var geometry = new KvGeometry(from, to);
        EmitCounts(code, name, geometry);
        EmitExpand(code, name, geometry);
        EmitHeads(code, geometry);
    }

    private static void EmitCounts(CodeWriter code, string name, KvGeometry geometry)
    {
        long row = geometry.From.RowBytes;
        string heads = geometry.MovedHeads?.ToString() ?? "heads";
        string planes = geometry.Planes == 1 ? "" : $" * {geometry.Planes}";
        OpenMethod(code, $"public static long CountUnits(in {name} plan)");
        EmitNothing(code, "0");
        code.Line("bool number = arguments.Immediate.IsNumber;");
        code.Line($"long blocks = (long)arguments.LayerCount{planes};");
        string segments = $"{Kv}KvSegments.CountUnits(arguments.FirstToken, arguments.TokenCount, {geometry.From.TokensPerPage}, {geometry.To.TokensPerPage}, number ? 0 : ";
        string rowHeads = geometry.MovedHeads is { } moved ? $"{moved * row}L" : $"heads * {row}L";
        code.Line(geometry.Shape switch
        {
            KvRunShape.Tokens => $"return blocks * {segments}{geometry.From.LocalKvHeads * row}L);",
            KvRunShape.HeadTokens => $"return blocks * {heads} * {segments}{row}L);",
            KvRunShape.TokenHeads => $"return blocks * arguments.TokenCount * (number ? 1 : {Root}TransferUnits.OfRun({rowHeads}));",
            _ => $"return blocks * arguments.TokenCount * {heads} * (number ? 1 : {Root}TransferUnits.OfRun({row}L));",
        });
        code.Close();
        code.Line();
        OpenMethod(code, $"public static long CountBytes(in {name} plan)");
        EmitNothing(code, "0");
        code.Line($"return (long)arguments.LayerCount{planes} * arguments.TokenCount * {rowHeads};");
        code.Close();
        code.Line();
    }

    /// <summary>Opens the arguments and leaves when there is nothing to move.</summary>
    private static void EmitNothing(CodeWriter code, string nothing)
    {
        code.Line($"ref readonly {Kv}KvTransferArguments arguments = ref plan._arguments;");
        code.Line("int heads = HeadsOf(in arguments).Count;");
        code.Open("if (heads == 0 || arguments.TokenCount <= 0 || arguments.LayerCount <= 0)");
        code.Line($"return {nothing};");
        code.Close();
        code.Line();
    }

    private static void EmitExpand(CodeWriter code, string name, KvGeometry geometry)
    {
        OpenMethod(code, ExpandOf(name));
        code.Line($"ref readonly {Kv}KvTransferArguments arguments = ref plan._arguments;");
        code.Line($"{Kv}KvHeadOverlap overlap = HeadsOf(in arguments);");
        code.Open("if (overlap.Count == 0 || arguments.TokenCount <= 0 || arguments.LayerCount <= 0)");
        code.Line("cursor.IsCompleted = true;");
        code.Close();
        code.Line();
        code.Open("if (cursor.IsCompleted || descriptors.IsEmpty)");
        code.Line("return 0;");
        code.Close();
        code.Line();
        EmitStrides(code, "source", "Source", geometry.From);
        EmitStrides(code, "destination", "Destination", geometry.To);
        EmitBases(code, geometry);
        EmitCursor(code, geometry);
        EmitLoops(code, geometry);
        code.Line();
        code.Line("cursor.IsCompleted = true;");
        code.Line("return writer.Written;");
        code.Close();
        code.Line();
    }

    private static void EmitStrides(CodeWriter code, string side, string prefix, KvLayout layout)
    {
        code.Line($"// Bytes from one layer{(layout.PlaneCount == 1 ? "" : ", one plane")} and one page to the next on the {side}'s side.");
        (string layer, string plane, string page) = KvGeometry.StridesOf(layout, $"arguments.{prefix}PoolPages");
        Stride("Layer", layer);
        if (layout.PlaneCount != 1)
            Stride("Plane", plane);
        Stride("Page", page);

        void Stride(string what, string value) =>
            code.Line($"{(value.Contains("arguments") ? "" : "const ")}long {side}{what} = {value};");
    }

    private static void EmitBases(CodeWriter code, KvGeometry geometry)
    {
        bool whole = geometry.Shape == KvRunShape.Tokens;
        code.Line($"long sourceOffset = arguments.SourceOffset{(whole ? "" : $" + (overlap.SourceFirst * {geometry.From.HeadStride}L)")};");
        code.Line($"long destinationOffset = arguments.DestinationOffset{(whole ? "" : $" + (overlap.DestinationFirst * {geometry.To.HeadStride}L)")};");
        code.Line($"{Ints} sourcePages = arguments.SourcePages.Span;");
        code.Line($"{Ints} destinationPages = arguments.DestinationPages.Span;");
        code.Line("int firstToken = arguments.FirstToken, endToken = firstToken + arguments.TokenCount;");
        code.Line($"int firstPage = firstToken / {geometry.From.TokensPerPage}, endPage = ((endToken - 1) / {geometry.From.TokensPerPage}) + 1;");
        code.Line("int firstLayer = arguments.FirstLayer, endLayer = firstLayer + arguments.LayerCount;");
        if (geometry.LoopsOverHeads || (geometry.Shape == KvRunShape.TokenHeads && geometry.MovedHeads is null))
            code.Line($"{(geometry.MovedHeads is null ? "" : "const ")}int heads = {geometry.MovedHeads?.ToString() ?? "overlap.Count"};");
        if (geometry.Shape is KvRunShape.Tokens or KvRunShape.HeadTokens)
            code.Line("bool number = arguments.Immediate.IsNumber;");
        else
            EmitFixedRun(code, geometry);
    }

    private static void EmitFixedRun(CodeWriter code, KvGeometry geometry)
    {
        long row = geometry.From.RowBytes;
        bool constant = geometry.Shape == KvRunShape.Element || geometry.MovedHeads is not null;
        long length = geometry.Shape == KvRunShape.Element ? row : row * (geometry.MovedHeads ?? 1);
        code.Line(constant ? $"const long length = {length}L;" : $"long length = heads * {row}L;");
        code.Line($"uint units = arguments.Immediate.IsNumber ? 1u : (uint){Root}TransferUnits.OfRun(length);");
    }

    private static void EmitCursor(CodeWriter code, KvGeometry geometry)
    {
        code.Line("int page = firstPage + (int)cursor.Position;");
        if (geometry.Planes == 1)
        {
            code.Line("int layer = firstLayer + (int)cursor.Middle;");
        }
        else
        {
            code.Line("int layer = firstLayer + (int)(cursor.Middle >> 1);");
            code.Line("int plane = (int)(cursor.Middle & 1);");
        }

        code.Line("int token = (int)(cursor.Inner >> 32);");
        if (geometry.LoopsOverHeads)
            code.Line("int head = (int)(cursor.Inner & int.MaxValue);");
        code.Line($"{Kv}KvRunWriter writer = new {Kv}KvRunWriter(in arguments, descriptors);");
    }

    private static void EmitLoops(CodeWriter code, KvGeometry geometry)
    {
        (string Variable, string First, string End)[] outer = geometry.OuterLoops;
        string innerReset = geometry.InnerLoops[0] + " = 0";
        for (int i = 0; i < outer.Length; i++)
        {
            string reset = i + 1 < outer.Length ? $"{outer[i + 1].Variable} = {outer[i + 1].First}" : innerReset;
            code.Open($"for (; {outer[i].Variable} < {outer[i].End}; {outer[i].Variable}++, {reset})");
        }

        bool planes = geometry.Planes != 1;
        code.Line($"int pageToken = page * {geometry.From.TokensPerPage};");
        code.Line("int first = global::System.Math.Max(firstToken - pageToken, 0);");
        code.Line($"int tokens = global::System.Math.Min(endToken - pageToken, {geometry.From.TokensPerPage}) - first;");
        code.Line($"long sourceBlock = sourceOffset + (layer * sourceLayer){(planes ? " + (plane * sourcePlane)" : "")} + (sourcePages[page] * sourcePage) + (first * {geometry.From.TokenStride}L);");
        code.Line($"long destinationBlock = destinationOffset + (layer * destinationLayer){(planes ? " + (plane * destinationPlane)" : "")};");

        EmitInnerLoops(code, geometry);
        for (int i = 0; i < outer.Length; i++)
            code.Close();
    }

    /// <summary>
    /// The loops inside a page of the source. Where the destination's page lies is found once a segment, or once a token where heads
    /// come innermost.
    /// </summary>
    private static void EmitInnerLoops(CodeWriter code, KvGeometry geometry)
    {
        bool runIsSegment = geometry.Shape is KvRunShape.Tokens or KvRunShape.HeadTokens;
        string[] loops = geometry.InnerLoops;
        bool headsInside = loops[loops.Length - 1] == "head";
        if (geometry.LoopsOverHeads && !headsInside)
            code.Open("for (; head < heads; head++, token = 0)");
        code.Open(headsInside ? "for (; token < tokens; token++, head = 0)"
            : runIsSegment ? "for (int run; token < tokens; token += run)"
            : "while (token < tokens)");
        EmitPlaces(code, geometry, runIsSegment, headsInside);
        if (headsInside)
            code.Open($"for (; head < heads; head++, source += {geometry.From.HeadStride}L, destination += {geometry.To.HeadStride}L)");
        else if (!runIsSegment)
            code.Open($"for (; token < end; token++, source += {geometry.From.TokenStride}L, destination += {geometry.To.TokenStride}L)");
        code.Open($"if (!writer.{(geometry.RunsNeverTouch ? "TryAddApart" : "TryAdd")}(source, destination, length, units))");
        code.Line("cursor.Position = page - firstPage;");
        code.Line(geometry.Planes == 1 ? "cursor.Middle = layer - firstLayer;" : "cursor.Middle = ((long)(layer - firstLayer) << 1) | (uint)plane;");
        code.Line(geometry.LoopsOverHeads ? "cursor.Inner = ((long)token << 32) | (uint)head;" : "cursor.Inner = (long)token << 32;");
        code.Line("return writer.Written;");
        code.Close();
        if (!runIsSegment)
            code.Close();
        code.Close();
        if (geometry.LoopsOverHeads && !headsInside)
            code.Close();
    }

    /// <summary>Where the next run comes from and goes to, and how long it or its segment is.</summary>
    private static void EmitPlaces(CodeWriter code, KvGeometry geometry, bool runIsSegment, bool headsInside)
    {
        int destinationTokens = geometry.To.TokensPerPage;
        code.Line("int at = pageToken + first + token;");
        code.Line($"int target = at / {destinationTokens};");
        code.Line($"int within = at - (target * {destinationTokens});");
        if (runIsSegment)
        {
            long bytes = geometry.Shape == KvRunShape.Tokens ? geometry.From.TokenStride : geometry.From.RowBytes;
            code.Line("// A run ends with its page on either side.");
            code.Line($"run = global::System.Math.Min(tokens - token, {destinationTokens} - within);");
            code.Line($"long length = run * {bytes}L;");
            long longest = Math.Min(geometry.From.TokensPerPage, destinationTokens) * bytes;
            code.Line(longest <= 1 << 16
                ? "const uint units = 1;"
                : $"uint units = number ? 1u : (uint){Root}TransferUnits.OfRun(length);");
        }
        else if (!headsInside)
        {
            code.Line("// A segment ends with its page on either side.");
            code.Line($"int end = global::System.Math.Min(tokens, token + {destinationTokens} - within);");
        }

        string head(long stride) => geometry.LoopsOverHeads ? $" + (head * {stride}L)" : "";
        code.Line($"long source = sourceBlock + (token * {geometry.From.TokenStride}L){head(geometry.From.HeadStride)};");
        code.Line($"long destination = destinationBlock + (destinationPages[target] * destinationPage) + (within * {geometry.To.TokenStride}L){head(geometry.To.HeadStride)};");
    }

    private static void EmitHeads(CodeWriter code, KvGeometry geometry)
    {
        code.Line($"private static {Kv}KvHeadOverlap HeadsOf({KvEmit.Arguments}) =>");
        code.Indented($"{Kv}KvHeadOverlap.Of({geometry.From.KvHeads}, {geometry.From.TensorParallel}, {geometry.To.TensorParallel}, arguments.SourceRank, arguments.DestinationRank);");
    }
}
