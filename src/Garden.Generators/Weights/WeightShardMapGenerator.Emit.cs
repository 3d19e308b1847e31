using System.Globalization;
using Microsoft.CodeAnalysis.CSharp;
using static Garden.Generators.EmittedCode;

namespace Garden.Generators.Weights;

public sealed partial class WeightShardMapGenerator
{
    private const string Space = Root + "Weights.";
    private const string OutOfRange = "_ => throw new global::System.ArgumentOutOfRangeException(nameof(rule)),";

    private static string Emit(WeightShardMapModel model)
    {
        WeightTables tables = model.Tables;
        string contract = $"{Space}IWeightShardMap<{model.Type.Name}>";
        CodeWriter code = Begin(model.Type, contract);
        Constant(code, contract, "int", "RuleCount", $"{tables.Patterns.Count}", "Number of rules.");
        Constant(code, contract, "int", "TensorCount", $"{tables.TensorCount}", "Number of tensors over all rules.");
        Constant(code, contract, "ulong", "MapHash", $"0x{tables.Hash:x16}UL", "FNV-1a over the rules, the tensors and the meshes.");
        code.Line($"static {Space}WeightMesh {contract}.TrainerMesh => new {Space}WeightMesh({List(tables.TrainerMesh)});");
        code.Line();
        code.Line($"static {Space}WeightMesh {contract}.InferenceMesh => new {Space}WeightMesh({List(tables.InferenceMesh)});");
        code.Line();
        EmitParts(code, contract, tables);
        EmitNames(code, contract, tables);
        return End(code, model.Type);
    }

    private static void EmitParts(CodeWriter code, string contract, WeightTables tables)
    {
        // Constant spans lie in the assembly's read-only data: no array is made, and nothing runs before the first use.
        code.Line($"static global::System.ReadOnlySpan<long> {contract}.PartWords =>");
        code.Line("[");
        for (int part = 0; part < tables.PartWords.Count; part += WeightTables.WordsPerPart)
        {
            IEnumerable<string> words = tables.PartWords.Skip(part).Take(WeightTables.WordsPerPart).Select(word => word.ToString(CultureInfo.InvariantCulture));
            code.Indented(string.Join(", ", words) + ",");
        }

        code.Line("];");
        code.Line();
    }

    private static void EmitNames(CodeWriter code, string contract, WeightTables tables)
    {
        code.Line($"static global::System.ReadOnlySpan<int> {contract}.VariablesOf(int rule) => rule switch");
        code.Line("{");
        for (int list = 0; list < tables.VariableLists.Count; list++)
        {
            IEnumerable<int> rules = Enumerable.Range(0, tables.ListOfRule.Count).Where(rule => tables.ListOfRule[rule] == list);
            code.Indented($"{string.Join(" or ", rules)} => [{List(tables.VariableLists[list])}],");
        }

        code.Indented(OutOfRange);
        code.Line("};");
        code.Line();
        code.Line($"static string {contract}.PatternOf(int rule) => rule switch");
        code.Line("{");
        for (int rule = 0; rule < tables.Patterns.Count; rule++)
            code.Indented($"{rule} => {SymbolDisplay.FormatLiteral(tables.Patterns[rule], quote: true)},");
        code.Indented(OutOfRange);
        code.Line("};");
    }

    private static string List(IEnumerable<int> values) => string.Join(", ", values.Select(value => value.ToString(CultureInfo.InvariantCulture)));
}
