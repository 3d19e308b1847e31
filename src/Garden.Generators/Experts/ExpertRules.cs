using System.Globalization;
using Garden.Generators.ModelFiles;

namespace Garden.Generators.Experts;

/// <summary>The rules of routings: the generator asks whether one is broken, the analyzer says which.</summary>
internal static class ExpertRules
{
    /// <summary>Units of one write, and bytes of a unit: the ten low bits of a counter's immediate (TransferUnits in Garden.Core).</summary>
    private const long MaxBytesPerWrite = 1023L * 65536;

    private const int LineAlignment = 128, HeaderBytes = 16;

    /// <summary>The valid routing of a declaration, or null and what is wrong with it.</summary>
    /// <param name="declaration">What is written.</param>
    /// <param name="configs">The configs that its <c>Model</c> may name; not looked at when it names none.</param>
    /// <param name="violations">What is wrong; empty when nothing is.</param>
    public static ExpertRouting? TryCreate(
        ExpertDeclaration declaration, IEnumerable<ModelFile<ModelConfig>> configs, out IReadOnlyList<RuleViolation> violations)
    {
        var found = new List<RuleViolation>();
        violations = found;
        if (declaration.Model is not null)
            declaration = ExpertModelRules.Complete(declaration, configs, found);
        CheckOptions(declaration, found);
        // What a model file should have told and did not is missing already.
        if (!found.Any(violation => violation.Argument == "Model"))
            CheckDimensions(declaration, found);
        if (found.Count != 0)
            return null;

        var routing = new ExpertRouting(
            declaration.Experts!.Value,
            declaration.TopK!.Value,
            declaration.HiddenSize!.Value,
            declaration.Element ?? 0,
            declaration.ScaleBlock ?? 0,
            declaration.CombineElement ?? 0,
            declaration.MaxTokens!.Value,
            declaration.Ranks ?? 0,
            declaration.RanksPerNode ?? 0,
            declaration.ExpertPadding ?? 1,
            declaration.PadExperts,
            declaration.ExactCombine);
        CheckExperts(routing, found);
        CheckRow(routing, found);
        if (found.Count == 0)
            CheckSizes(routing, found);
        return found.Count == 0 ? routing : null;
    }

    private static void CheckOptions(ExpertDeclaration declaration, List<RuleViolation> found)
    {
        Check("Element", declaration.Element, ExpertRouting.ElementNames);
        // Sums are rounded once; FP8 without scales would lose them.
        Check("CombineElement", declaration.CombineElement, ExpertRouting.ElementNames.Take(ExpertRouting.Float8).ToArray());

        void Check(string name, int? value, string[] names)
        {
            if (value is int given && (uint)given >= (uint)names.Length)
                found.Add(new RuleViolation("GRDN0038", name, name, Text(given), string.Join(", ", names)));
        }
    }

    private static void CheckDimensions(ExpertDeclaration declaration, List<RuleViolation> found)
    {
        Check("Experts", declaration.Experts, true);
        Check("TopK", declaration.TopK, true);
        Check("HiddenSize", declaration.HiddenSize, true);
        Check("MaxTokens", declaration.MaxTokens, true);
        Check("ExpertPadding", declaration.ExpertPadding, false);
        // 0 leaves these to the run time, or says that there are no scales.
        Check("Ranks", declaration.Ranks == 0 ? null : declaration.Ranks, false);
        Check("RanksPerNode", declaration.RanksPerNode == 0 ? null : declaration.RanksPerNode, false);
        Check("ScaleBlock", declaration.ScaleBlock == 0 ? null : declaration.ScaleBlock, false);

        void Check(string name, int? value, bool required)
        {
            if (value is null && required)
                found.Add(new RuleViolation("GRDN0031", null, name, "missing"));
            else if (value <= 0)
                found.Add(new RuleViolation("GRDN0031", name, name, Text(value.Value)));
        }
    }

    private static void CheckExperts(ExpertRouting routing, List<RuleViolation> found)
    {
        if (routing.Ranks > 0 && routing.Experts % routing.Ranks != 0 && !routing.PadExperts)
            found.Add(new RuleViolation("GRDN0032", "Ranks", Text(routing.Experts), Text(routing.Ranks)));
        if (routing.TopK > routing.Experts)
            found.Add(new RuleViolation("GRDN0033", "TopK", Text(routing.TopK), Text(routing.Experts)));
    }

    private static void CheckRow(ExpertRouting routing, List<RuleViolation> found)
    {
        CheckVector("Element", routing.Element);
        if (routing.CombineElement != routing.Element)
            CheckVector("CombineElement", routing.CombineElement);
        bool scaled = routing.Element == ExpertRouting.Float8;
        string element = ExpertRouting.ElementNames[routing.Element];
        if (scaled && routing.ScaleBlock == 0)
            found.Add(new RuleViolation("GRDN0035", "Element", $"{element} needs scales; set ScaleBlock, usually to 128"));
        else if (!scaled && routing.ScaleBlock != 0)
            found.Add(new RuleViolation("GRDN0035", "ScaleBlock", $"{element} has no scales; remove ScaleBlock, or set Element to Float8E4M3"));
        else if (scaled && routing.HiddenSize % routing.ScaleBlock != 0)
            found.Add(new RuleViolation("GRDN0035", "ScaleBlock", $"ScaleBlock {Text(routing.ScaleBlock)} does not divide HiddenSize {Text(routing.HiddenSize)}; use a divisor"));

        void CheckVector(string argument, int type)
        {
            int multiple = ExpertRouting.VectorBytes / ExpertRouting.BytesOf(type);
            if (routing.HiddenSize % multiple != 0)
                found.Add(new RuleViolation("GRDN0034", "HiddenSize", Text(routing.HiddenSize), Text(multiple), argument, ExpertRouting.ElementNames[type], Text(ExpertRouting.VectorBytes)));
        }
    }

    /// <summary>The limits of ExpertGroup in Garden.Core, as far as ranks are known.</summary>
    private static void CheckSizes(ExpertRouting routing, List<RuleViolation> found)
    {
        int ranks = Math.Max(1, routing.Ranks);
        // Decimals hold these products of up to four ints exactly. Fewer ranks have more experts each, thus the longest lines.
        decimal perRank = ((long)routing.Experts + ranks - 1) / ranks;
        decimal line = routing.Ranks == 0 ? HeaderBytes : Align(HeaderBytes + (4 * perRank));
        // Of unknown ranks each may hold one expert.
        decimal results = routing.ExactCombine && routing.Ranks != 0 ? Math.Min(routing.TopK, perRank) : 1;
        // On one node nothing is written by a network.
        bool isOneNode = routing.Ranks != 0 && routing.RanksPerNode >= routing.Ranks;
        if (!isOneNode && (!FitsOneWrite("dispatch", line, routing.RowBytes) || !FitsOneWrite("combine", 0, results * routing.CombineRowBytes)))
            return;

        decimal sources = (decimal)ranks * routing.MaxTokens;
        decimal selections = sources * Math.Min(routing.TopK, perRank);
        decimal slot = Align(line + ((decimal)routing.MaxTokens * routing.RowBytes));
        decimal remoteSlot = Align(line + ((decimal)routing.MaxTokens * Math.Max(routing.RowBytes, results * routing.CombineRowBytes)));
        decimal region = ranks * Math.Max(2 * slot, remoteSlot);
        decimal returned = 2 * Align((decimal)routing.MaxTokens * (routing.ExactCombine ? routing.TopK : Math.Min(routing.TopK, ranks)) * routing.CombineRowBytes);
        Check("the dispatch and combine regions", region + returned, long.MaxValue, "bytes");
        Check("an inverse index", sources * routing.TopK, int.MaxValue, "entries");
        Check("an expert-contiguous output", selections + (Math.Min(perRank, selections) * (routing.ExpertPadding - 1)), int.MaxValue, "rows");
        if (routing.Ranks != 0)
            Check("an output of expert slabs", perRank * sources, int.MaxValue, "rows");

        bool FitsOneWrite(string direction, decimal ahead, decimal rowBytes)
        {
            decimal bytes = ahead + (routing.MaxTokens * rowBytes);
            if (bytes <= MaxBytesPerWrite)
                return true;
            decimal fits = Math.Max(0, decimal.Floor((MaxBytesPerWrite - ahead) / rowBytes));
            found.Add(new RuleViolation("GRDN0037", "MaxTokens", direction, Text(routing.MaxTokens), Text(bytes), Text(MaxBytesPerWrite), Text(fits)));
            return false;
        }

        void Check(string what, decimal value, long limit, string unit)
        {
            if (value > limit && found.Count == 0)
                found.Add(new RuleViolation("GRDN0036", null, what, Text(value), unit, Text(limit)));
        }

        static decimal Align(decimal bytes) => decimal.Ceiling(bytes / LineAlignment) * LineAlignment;
    }

    private static string Text(decimal value) => value.ToString(CultureInfo.InvariantCulture);
}
