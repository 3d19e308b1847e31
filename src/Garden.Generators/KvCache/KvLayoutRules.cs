using System.Globalization;
using Garden.Generators.ModelFiles;

namespace Garden.Generators.KvCache;

/// <summary>The rules of layouts and of pairs of layouts: the generators ask whether one is broken, the analyzer says which.</summary>
internal static class KvLayoutRules
{
    /// <summary>The valid layout of a declaration, or null and what is wrong with it.</summary>
    /// <param name="declaration">What is written.</param>
    /// <param name="configs">The configs that its <c>Model</c> may name; not looked at when it names none.</param>
    /// <param name="violations">What is wrong; empty when nothing is.</param>
    public static KvLayout? TryCreate(
        KvLayoutDeclaration declaration, IEnumerable<ModelFile<ModelConfig>> configs, out IReadOnlyList<RuleViolation> violations)
    {
        var found = new List<RuleViolation>();
        if (declaration.Model is not null)
            declaration = KvModelRules.Complete(declaration, configs, found);
        CheckOptions(declaration, found);
        // What a model file should have told and did not is missing already.
        if (!found.Any(violation => violation.Argument == "Model"))
            CheckDimensions(declaration, found);
        violations = found;
        if (found.Count != 0)
            return null;

        bool latent = declaration.LatentSize is not null;
        var layout = new KvLayout(
            declaration.Element ?? 1,
            declaration.Layers!.Value,
            latent ? 1 : declaration.KvHeads!.Value,
            latent ? declaration.LatentSize!.Value : declaration.HeadSize!.Value,
            declaration.TokensPerPage!.Value,
            latent ? KvLayout.Latent : declaration.Planes ?? KvLayout.Interleaved,
            declaration.Axes ?? KvLayout.Nhd,
            declaration.PoolOrder ?? KvLayout.LayerMajor,
            declaration.TensorParallel ?? 1);
        CheckHeads(layout, found);
        if (found.Count == 0)
            CheckSize(layout, found);
        return found.Count == 0 ? layout : null;
    }

    /// <summary>What the two sides of a transfer must have in common and do not.</summary>
    public static IEnumerable<RuleViolation> CheckPair(KvLayout from, KvLayout to)
    {
        if (from.Element != to.Element)
            yield return Differ("element type", KvLayout.ElementNames[from.Element], KvLayout.ElementNames[to.Element]);
        if (from.Layers != to.Layers)
            yield return Differ("number of layers", Text(from.Layers), Text(to.Layers));
        if (from.PlaneCount != to.PlaneCount)
            yield return Differ("number of planes", Planes(from), Planes(to));
        else if (from.KvHeads != to.KvHeads)
            yield return Differ("number of KV heads", Text(from.KvHeads), Text(to.KvHeads));
        if (from.HeadSize != to.HeadSize)
            yield return Differ(from.IsLatent && to.IsLatent ? "latent size" : "head size", Text(from.HeadSize), Text(to.HeadSize));

        static RuleViolation Differ(string what, string from, string to) => new("GRDN0007", null, what, from, to);

        static string Planes(KvLayout layout) => layout.IsLatent ? "1 (latent)" : "2 (K and V)";
    }

    private static void CheckOptions(KvLayoutDeclaration declaration, List<RuleViolation> found)
    {
        Check("Element", declaration.Element, "KvElement", KvLayout.ElementNames);
        Check("Planes", declaration.Planes, "KvPlanes", KvLayout.PlanesNames);
        Check("Axes", declaration.Axes, "KvAxisOrder", KvLayout.AxesNames);
        Check("PoolOrder", declaration.PoolOrder, "KvPoolOrder", KvLayout.PoolOrderNames);

        void Check(string name, int? value, string type, string[] names)
        {
            if (value is int given && (uint)given >= (uint)names.Length)
                found.Add(new RuleViolation("GRDN0008", name, Text(given), type, string.Join(", ", names)));
        }
    }

    private static void CheckDimensions(KvLayoutDeclaration declaration, List<RuleViolation> found)
    {
        bool latent = declaration.LatentSize is not null || declaration.Planes == KvLayout.Latent;
        Check("Layers", declaration.Layers, true);
        Check("KvHeads", declaration.KvHeads, !latent);
        Check("HeadSize", declaration.HeadSize, !latent);
        Check("LatentSize", declaration.LatentSize, latent);
        Check("TokensPerPage", declaration.TokensPerPage, true);
        Check("TensorParallel", declaration.TensorParallel, false);
        if (declaration.LatentSize is int size && (declaration.KvHeads ?? declaration.HeadSize) is not null)
        {
            string heads = declaration.KvHeads is not null ? "KvHeads" : "HeadSize";
            found.Add(new RuleViolation("GRDN0004", "LatentSize", Text(size), heads, Text((declaration.KvHeads ?? declaration.HeadSize)!.Value)));
        }

        void Check(string name, int? value, bool required)
        {
            if (value is null && required)
                found.Add(new RuleViolation("GRDN0002", null, name, "missing"));
            else if (value <= 0)
                found.Add(new RuleViolation("GRDN0002", name, name, Text(value.Value)));
        }
    }

    private static void CheckHeads(KvLayout layout, List<RuleViolation> found)
    {
        if (!layout.IsLatent && layout.KvHeads % layout.TensorParallel != 0 && layout.TensorParallel % layout.KvHeads != 0)
            found.Add(new RuleViolation("GRDN0003", "TensorParallel", Text(layout.KvHeads), Text(layout.TensorParallel)));
    }

    private static void CheckSize(KvLayout layout, List<RuleViolation> found)
    {
        // Decimals hold the product of any four dimensions exactly, for the comparison and for the message.
        decimal token = (decimal)layout.PlaneCount * layout.LocalKvHeads * layout.HeadSize * layout.ElementBytes;
        decimal page = token * layout.TokensPerPage;
        if (token > int.MaxValue)
            Report("a token in one layer", token, int.MaxValue);
        else if (page > int.MaxValue)
            Report("a page in one layer", page, int.MaxValue);
        else if (page * layout.Layers > uint.MaxValue)
            Report("a page over all layers", page * layout.Layers, uint.MaxValue); // so that int.MaxValue of them fit a long

        void Report(string what, decimal bytes, long limit) => found.Add(
            new RuleViolation("GRDN0005", null, what, bytes.ToString(CultureInfo.InvariantCulture), limit.ToString(CultureInfo.InvariantCulture)));
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
