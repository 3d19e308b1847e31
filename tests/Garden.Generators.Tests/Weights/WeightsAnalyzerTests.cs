using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.Weights;

/// <summary>A firing and a silent test for each rule; the firing one checks the span and the values in the message.</summary>
public sealed class WeightsAnalyzerTests
{
    private const string Map = "[WeightShardMap(TrainerMesh = \"dp=4\", InferenceMesh = \"ep=2, tp=2\")]";
    private const string IndexMap = "[WeightShardMap(TrainerMesh = \"dp=4\", InferenceMesh = \"ep=2, tp=2\", Index = \"model.index.json\")]";
    private const string Tensor = "[WeightTensor(\"w\", 8, 4)]";

    private static readonly AdditionalText s_index = Index("w", "l.0.e.0.x", "l.0.e.1.x", "l.2.e.0.x", "l.2.e.1.x");

    [Theory]
    [InlineData(Map + Tensor + "struct M;", "M", "must be declared partial")]
    [InlineData(Map + Tensor + "partial struct M<T>;", "M", "must not be generic")]
    [InlineData(Map + Tensor + "ref partial struct M;", "M", "ordinary struct")]
    [InlineData(Map + Tensor + "partial struct MapHash;", "MapHash", "rename it")]
    [InlineData("class Outer { " + Map + Tensor + "partial struct M; }", "M", "'Outer', which must be declared partial too")]
    public Task GRDN0050_fires(string source, string at, string message) => Fires("GRDN0050", source, at, message);

    [Fact]
    public Task GRDN0050_is_silent() => IsSilent("partial class Outer { " + Map + Tensor + "readonly partial record struct M; }");

    [Theory]
    [InlineData("[WeightTensor(\"w\", 0, 4)]", "0", "Dimension 0 of 'w' is 0")]
    [InlineData("[WeightTensor(\"w\", 8, -4)]", "-4", "Dimension 1 of 'w' is -4")]
    [InlineData("[WeightTensor(\"w\")]", "WeightTensor(\"w\")", "The shape of 'w' is missing")]
    public Task GRDN0051_fires(string tensor, string at, string message) => Fires("GRDN0051", Map + tensor + "partial struct M;", at, message);

    [Fact]
    public Task GRDN0051_fires_without_any_rule() =>
        Fires("GRDN0051", Map + "partial struct M;", Map[1..^1], "[WeightTensor] of 'the map' is missing");

    [Fact]
    public Task GRDN0051_is_silent() => IsSilent(Map + "[WeightTensor(\"w\", 1)] partial struct M;");

    [Theory]
    [InlineData("[WeightTensor(\"w\", 8, Element = (WeightElement)9)]", "Element = (WeightElement)9", "9 is not a value of WeightElement; use one of Float16, BFloat16")]
    [InlineData("[WeightTensor(\"w\", 8, Convert = (WeightConversion)2)]", "Convert = (WeightConversion)2", "2 is not a value of WeightConversion")]
    public Task GRDN0052_fires(string tensor, string at, string message) => Fires("GRDN0052", Map + tensor + "partial struct M;", at, message);

    [Fact]
    public Task GRDN0052_fires_at_the_map() => Fires(
        "GRDN0052",
        "[WeightShardMap(TrainerMesh = \"a=1\", InferenceMesh = \"a=1\", Element = (WeightElement)77)] [WeightTensor(\"w\", 8)] partial struct M;",
        "Element = (WeightElement)77",
        "77 is not a value of WeightElement");

    [Theory]
    [InlineData("Float16")]
    [InlineData("Float8E5M2")]
    [InlineData("Int8")]
    public Task GRDN0052_is_silent(string element) => IsSilent(Map + $"[WeightTensor(\"w\", 8, Element = WeightElement.{element})] partial struct M;");

    [Theory]
    [InlineData("", "it is empty")]
    [InlineData("a.{layer", "a brace is not closed")]
    [InlineData("a.layer}", "a brace is not opened")]
    [InlineData("a.{0}", "'{0}' is no variable")]
    [InlineData("a.{i}{j}", "two variables need something between them")]
    [InlineData("a.{i:0..2}.{i:0..2}", "the variable i stands twice in it")]
    [InlineData("a.{i:3..3}", "'{i:3..3}' has no range")]
    [InlineData("a.{i:3-4}", "'{i:3-4}' has no range")]
    [InlineData("a.{expert:1..4}", "0 as the first expert")]
    public Task GRDN0053_fires(string name, string message) =>
        Fires("GRDN0053", Map + $"[WeightTensor(\"{name}\", 8)] partial struct M;", $"\"{name}\"", message);

    [Fact]
    public Task GRDN0053_is_silent() => IsSilent(Map + "[WeightTensor(\"{i:0..2}-{j:5..9}.w\", 8)] partial struct M;");

    [Theory]
    [InlineData("dp", "'dp' is no axis; write name=size or name=?")]
    [InlineData("dp=0", "'0' is no size of axis dp")]
    [InlineData("dp=2, dp=4", "the axis dp stands twice in it")]
    [InlineData("a=1, b=1, c=1, d=1, e=1", "it has 5 axes, more than 4")]
    [InlineData("a=65536, b=65536", "it has 4294967296 ranks")]
    public Task GRDN0054_fires_at_a_mesh(string mesh, string message) => Fires(
        "GRDN0054", $"[WeightShardMap(TrainerMesh = \"{mesh}\", InferenceMesh = \"tp=2\")] [WeightTensor(\"w\", 8)] partial struct M;", $"TrainerMesh = \"{mesh}\"", message);

    [Theory]
    [InlineData("shard", "'shard' is no split")]
    [InlineData("shard(2, tp)", "'2' is no dimension that can be split; this tensor has 0 to 1")]
    [InlineData("shard(0, dp)", "'dp' is no axis of the mesh, which has ep, tp")]
    [InlineData("shard(0, tp) shard(1, tp)", "the axis tp is split over twice")]
    [InlineData("flat(tp) shard(0, ep)", "flat must be the last split")]
    [InlineData("expert(ep)", "expert splits need {expert} in the tensor's name")]
    [InlineData("shard(0, tp, padded)", "'padded' is no option")]
    [InlineData("shard(0, tp, shards=0)", "'shards=0' is no option")]
    [InlineData("cut(0, tp)", "'cut' is no split")]
    public Task GRDN0054_fires_at_a_placement(string placement, string message) =>
        Fires("GRDN0054", Map + $"[WeightTensor(\"w\", 8, 4, Inference = \"{placement}\")] partial struct M;", $"Inference = \"{placement}\"", message);

    [Fact]
    public Task GRDN0054_fires_at_the_rule_that_a_default_does_not_suit() => Fires(
        "GRDN0054", "[WeightShardMap(TrainerMesh = \"a=2\", InferenceMesh = \"a=2\", Trainer = \"shard(1, a)\")] [WeightTensor(\"w\", 8)] partial struct M;", "\"w\"", "has 0 to 0");

    [Theory]
    [InlineData("replicate")]
    [InlineData("shard(0, tp) shard(1, ep)")]
    [InlineData("shard(0, ep, pad)  shard(0, tp, shards=1) ")]
    [InlineData("shard(1,tp) flat(ep)")]
    public Task GRDN0054_is_silent(string placement) => IsSilent(Map + $"[WeightTensor(\"w\", 8, 4, Inference = \"{placement}\")] partial struct M;");

    [Theory]
    [InlineData("Trainer = \"shard(0, dp)\"", "w", "6 elements along dimension 0 of 'w' do not divide over 4 ranks of 'dp'; write shard(0, dp, pad) to let the last ranks have less")]
    [InlineData("Inference = \"shard(0, ep) shard(0, tp)\"", "w", "3 elements along dimension 0 of 'w' do not divide over 2 ranks of 'tp'")]
    [InlineData("Inference = \"expert(tp)\"", "e.{expert:0..3}", "3 experts of 'e.{expert:0..3}' do not divide over 2 ranks of 'tp'; write expert(tp, pad)")]
    [InlineData("Trainer = \"shard(0, dp, shards=3)\"", "w", "4 ranks of 'w' do not divide over 3 shards")]
    public Task GRDN0055_fires(string placement, string name, string message) =>
        Fires("GRDN0055", Map + $"[WeightTensor(\"{name}\", 6, 4, {placement})] partial struct M;", placement, message);

    [Theory]
    [InlineData("Trainer = \"shard(0, dp, pad)\"", "w")]
    [InlineData("Inference = \"expert(tp, pad) shard(0, ep)\"", "e.{expert:0..3}")]
    [InlineData("Trainer = \"flat(dp)\"", "w")]
    public Task GRDN0055_is_silent(string placement, string name) => IsSilent(Map + $"[WeightTensor(\"{name}\", 6, 4, {placement})] partial struct M;");

    [Theory]
    [InlineData("\"w\", 2147483647, 2147483647, 2", "A tensor of 'w' has 18446744056529682436 bytes")]
    [InlineData("\"w.{i:0..5}\", 2147483647, 1073741824", "The model has")]
    [InlineData("\"w.{i:0..5000000}\", 1", "The map has 5000000 tensors, more than 4000000")]
    public Task GRDN0056_fires(string tensor, string message) => Fires("GRDN0056", Map + $"[WeightTensor({tensor})] partial struct M;", null, message);

    [Fact]
    public Task GRDN0056_is_silent() => IsSilent(Map + "[WeightTensor(\"w\", 2147483647, 1073741824)] partial struct M;");

    [Theory]
    [InlineData("[WeightTensor(\"w\", 8)]", "'l.0.e.0.x' and 3 more of the index")]
    [InlineData("[WeightTensor(\"l.{i}.e.{expert}.x\", 8)]", "'w' of the index is matched by no rule")]
    [InlineData("[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i:0..2}.e.{expert}.x\", 8)]", "'l.2.e.0.x' and 1 more")]
    public Task GRDN0057_fires(string tensors, string message) => Fires("GRDN0057", IndexMap + tensors + "partial struct M;", "Index = \"model.index.json\"", message, s_index);

    [Fact]
    public Task GRDN0057_is_silent() => IsSilent(IndexMap + "[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i}.e.{expert}.x\", 8)] partial struct M;", s_index);

    [Fact]
    public Task GRDN0058_fires() => Fires(
        "GRDN0058", IndexMap + "[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i}.e.{expert}.x\", 8)] [WeightTensor(\"l.{i}.y\", 8)] partial struct M;", "\"l.{i}.y\"", "'l.{i}.y' matches no tensor of 'model.index.json'", s_index);

    [Fact]
    public Task GRDN0058_is_silent() => IsSilent(IndexMap + "[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i}.e.{expert}.x\", 8)] partial struct M;", s_index);

    [Fact]
    public Task GRDN0059_fires() => Fires(
        "GRDN0059", IndexMap + "[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i}.e.{expert}.x\", 8)] [WeightTensor(\"l.2.e.{expert}.x\", 8)] partial struct M;", "\"l.2.e.{expert}.x\"", "'l.2.e.0.x' is matched by 'l.{i}.e.{expert}.x' and by 'l.2.e.{expert}.x'", s_index);

    [Fact]
    public Task GRDN0059_fires_between_ranges() => Fires(
        "GRDN0059", Map + "[WeightTensor(\"l.{i:0..4}.w\", 8)] [WeightTensor(\"l.{j:3..6}.w\", 8)] partial struct M;", "\"l.{j:3..6}.w\"", "'l.3.w' is matched by");

    [Fact]
    public Task GRDN0059_is_silent() => IsSilent(
        IndexMap + "[WeightTensor(\"w\", 8)] [WeightTensor(\"l.{i:0..1}.e.{expert}.x\", 8)] [WeightTensor(\"l.2.e.{expert}.x\", 8)] partial struct M;", s_index);

    [Theory]
    [InlineData("\"qk\", \"q\"", "WeightFusion(\"qk\", \"q\")", "it has fewer than two members")]
    [InlineData("\"qk\", \"q\", \"x\"", "\"x\"", "'x' is no rule of this type")]
    [InlineData("\"qk\", \"q\", \"q\"", "\"q\"", "'q' is a member of a fusion already")]
    [InlineData("\"qk\", \"q\", \"wide\"", "\"wide\"", "differ in a dimension other than the first")]
    [InlineData("\"qk\", \"q\", \"float\"", "\"float\"", "differ in their element type")]
    [InlineData("\"qk\", \"q\", \"placed\"", "\"placed\"", "differ in their placement at inference")]
    [InlineData("\"qk\", \"q\", \"many.{i:0..2}\"", "\"many.{i:0..2}\"", "differ in their variables")]
    [InlineData("\"qk.{i}\", \"many.{i:0..2}\", \"more.{i:0..3}\"", "\"more.{i:0..3}\"", "has 3 × 1 tensors and 'many.{i:0..2}' 2 × 1")]
    [InlineData("\"qk.{j}\", \"many.{i:0..2}\", \"same.{i:0..2}\"", "\"qk.{j}\"", "have different variables")]
    [InlineData("\"q{\", \"q\", \"k\"", "\"q{\"", "a brace is not closed")]
    public Task GRDN0060_fires(string fusion, string at, string message) => Fires("GRDN0060", Map + Members + $"[WeightFusion({fusion})] partial struct M;", at, message, position: Last);

    [Fact]
    public Task GRDN0060_is_silent() => IsSilent(Map + Members + "[WeightFusion(\"qk\", \"q\", \"k\")] [WeightFusion(\"both.{i}\", \"many.{i:0..2}\", \"same.{i:0..2}\")] partial struct M;");

    [Fact]
    public Task GRDN0061_fires_without_ranges() => Fires(
        "GRDN0061", Map + "[WeightTensor(\"l.{layer}.w\", 8)] partial struct M;", "\"l.{layer}.w\"", "has a variable without a range and the map has no index file");

    [Theory]
    [InlineData("lacks 'l.1.e.1'", "l.0.e.0", "l.0.e.1", "l.0.e.2", "l.1.e.0", "l.1.e.2")]
    [InlineData("lacks 'l.0.e.2'", "l.0.e.0", "l.0.e.1", "l.1.e.0", "l.1.e.1", "l.1.e.2")]
    [InlineData("lacks 'l.1.e.2'", "l.0.e.0", "l.0.e.1", "l.0.e.2", "l.1.e.0", "l.1.e.1")]
    [InlineData("lacks 'l.0.e.0'", "l.0.e.1")]
    public Task GRDN0061_fires_where_experts_are_missing(string message, params string[] names) => Fires(
        "GRDN0061", IndexMap + "[WeightTensor(\"l.{i}.e.{expert}\", 8)] partial struct M;", "\"l.{i}.e.{expert}\"", message, Index(names));

    [Fact]
    public Task GRDN0061_is_silent() => IsSilent(Map + "[WeightTensor(\"l.{layer:3..61}.e.{expert:0..256}\", 8)] partial struct M;");

    [Theory]
    [InlineData("256, 256, Element = WeightElement.Float16", "its elements are Float16; only BFloat16 is converted")]
    [InlineData("256", "it has 1 dimensions; blocks need 2")]
    [InlineData("256, 256, Inference = \"flat(tp)\"", "it is split flat at inference")]
    [InlineData("256, 128, Inference = \"shard(1, tp)\"", "holds 64 elements along dimension 1, which cuts a block")]
    public Task GRDN0062_fires(string tensor, string message) => Fires(
        "GRDN0062", Map + $"[WeightTensor(\"w\", {tensor}, Convert = WeightConversion.Float8Block128)] partial struct M;", "Convert = WeightConversion.Float8Block128", message);

    [Fact]
    public Task GRDN0062_fires_for_a_member_that_ends_inside_a_block() => Fires(
        "GRDN0062",
        Map + "[WeightTensor(\"a\", 100, 256, Convert = WeightConversion.Float8Block128)] [WeightTensor(\"b\", 100, 256, Convert = WeightConversion.Float8Block128)] [WeightFusion(\"ab\", \"a\", \"b\")] partial struct M;",
        "Convert = WeightConversion.Float8Block128",
        "a rank's 100 rows are no multiple of 128");

    [Fact]
    public Task GRDN0062_is_silent() => IsSilent(
        Map + "[WeightTensor(\"w\", 300, 256, Inference = \"shard(1, tp)\", Trainer = \"flat(dp)\", Convert = WeightConversion.Float8Block128)] partial struct M;");

    [Fact]
    public Task A_missing_index_is_reported() => Fires("GRDN0020", IndexMap + Tensor + "partial struct M;", "Index = \"model.index.json\"", "is not among the additional files");

    [Fact]
    public Task A_broken_index_is_reported() => Fires(
        "GRDN0021", IndexMap + Tensor + "partial struct M;", "Index = \"model.index.json\"", "model.index.json", Sources.File("/model/model.index.json", "{ \"weight_map\": ["));

    private const string Members = "[WeightTensor(\"q\", 8, 4)] [WeightTensor(\"k\", 4, 4)] [WeightTensor(\"wide\", 4, 8)] [WeightTensor(\"float\", 4, 4, Element = WeightElement.Float32)]"
        + "[WeightTensor(\"placed\", 4, 4, Inference = \"shard(0, tp)\")] [WeightTensor(\"many.{i:0..2}\", 4, 4)] [WeightTensor(\"same.{i:0..2}\", 4, 4)] [WeightTensor(\"more.{i:0..3}\", 4, 4)]";

    private static int Last(string text, string at) => text.LastIndexOf(at, StringComparison.Ordinal);

    private static async Task Fires(
        string id, string source, string? at, string message, AdditionalText? file = null, Func<string, string, int>? position = null)
    {
        Compilation compilation = Sources.Compile(Text(source));
        Diagnostic diagnostic = Assert.Single(await Sources.Analyze(compilation, Files(file)));
        Assert.Equal(id, diagnostic.Id);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.Contains(message, diagnostic.GetMessage(), StringComparison.Ordinal);
        string text = diagnostic.Location.SourceTree!.ToString();
        if (at is not null)
            Assert.Equal(at, text.Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
        if (position is not null)
            Assert.Equal(position(text, at!), diagnostic.Location.SourceSpan.Start);

        // The generator leaves alone what the analyzer complains about.
        Assert.Single(Sources.Generate(compilation, Files(file)).SyntaxTrees);
    }

    private static async Task IsSilent(string source, AdditionalText? file = null)
    {
        Compilation compilation = Sources.Compile(Text(source));
        Assert.Empty(await Sources.Analyze(compilation, Files(file)));
        Compilation output = Sources.Generate(compilation, Files(file));
        Assert.Equal(2, output.SyntaxTrees.Count());
        Assert.DoesNotContain(output.GetDiagnostics(), diagnostic => diagnostic.Severity != DiagnosticSeverity.Hidden);
    }

    private static AdditionalText[] Files(AdditionalText? file) => file is null ? [] : [file];

    private static AdditionalText Index(params string[] names) => Sources.File(
        "/model/model.index.json", $$"""{ "weight_map": { {{string.Join(", ", names.Select(name => $"\"{name}\": \"model.safetensors\""))}} } }""");

    private static string Text(string source) => "using Garden.Weights;\n" + source;
}
