using static Garden.Generators.EmittedCode;

namespace Garden.Generators.Experts;

public sealed partial class ExpertRoutingGenerator
{
    private const string Namespace = "global::Garden.Experts.";

    private static string Emit(ExpertRoutingModel model)
    {
        string contract = $"{Namespace}IExpertRouting<{model.Type.Name}>";
        CodeWriter code = Begin(model.Type, contract);
        EmitConstants(code, contract, model.Routing);
        EmitSizes(code, model.Type.Name);
        return End(code, model.Type);
    }

    private static void EmitConstants(CodeWriter code, string contract, ExpertRouting routing)
    {
        Int("Experts", routing.Experts, "Routed experts over all ranks.");
        Int("TopK", routing.TopK, "Experts a token is sent to, at most.");
        Int("HiddenSize", routing.HiddenSize, "Elements of a row.");
        Element("Element", routing.Element, "Element type of dispatched rows.");
        Int("ElementBytes", routing.ElementBytes, "Bytes per element of dispatched rows.");
        Int("ScaleBlock", routing.ScaleBlock, "Elements that share a scale; 0 when there are no scales.");
        Int("ScaleCount", routing.ScaleCount, "Scales of a row.");
        Element("CombineElement", routing.CombineElement, "Element type of rows that come back.");
        Int("CombineElementBytes", routing.CombineElementBytes, "Bytes per element of rows that come back.");
        Int("MaxTokens", routing.MaxTokens, "Tokens one rank sends in one round, at most.");
        Int("Ranks", routing.Ranks, "Ranks that share the experts; 0 when given at run time.");
        Int("RanksPerNode", routing.RanksPerNode, "Ranks of one node; 0 when given at run time.");
        Int("ExpertPadding", routing.ExpertPadding, "Multiple to which the rows of each expert are filled up.");
        Constant(code, contract, "bool", "PadExperts", routing.PadExperts ? "true" : "false", "True when ranks need not divide the experts.");
        Constant(code, contract, "bool", "ExactCombine", routing.ExactCombine ? "true" : "false", "True when each expert's result comes back as a row of its own.");
        Int("ScalesOffset", routing.ScalesOffset, "Byte offset of a row's scales.");
        Int("SelectionsOffset", routing.SelectionsOffset, "Byte offset of a row's experts.");
        Int("WeightsOffset", routing.WeightsOffset, "Byte offset of a row's weights.");
        Int("RowBytes", routing.RowBytes, "Bytes of a dispatched row.");
        Int("CombineRowBytes", routing.CombineRowBytes, "Bytes of a row that comes back.");
        Constant(code, contract, "ulong", "RoutingHash", $"0x{routing.Hash:x16}UL", "FNV-1a over what must be equal on all ranks.");

        void Int(string name, long value, string summary) => Constant(code, contract, "int", name, $"{value}", summary);
        void Element(string name, int value, string summary) =>
            Constant(code, contract, Namespace + "ExpertElement", name, $"{Namespace}ExpertElement.{ExpertRouting.ElementNames[value]}", summary);
    }

    private static void EmitSizes(CodeWriter code, string name)
    {
        Member("ExpertGroup", "ExpertGroup.Of", "Group", "int ranks, int ranksPerNode, int tokens = MaxTokens, int padding = ExpertPadding", "ranks, ranksPerNode, tokens, padding");
        Size("DispatchBytes", "int ranks, int ranksPerNode, int tokens", "ranks, ranksPerNode, tokens");
        Size("CombineBytes", "int ranks, int tokens", "ranks, tokens");
        Size("ReceiveBytes", "int ranks, int ranksPerNode, int tokens", "ranks, ranksPerNode, tokens");
        Size("RegisteredBytes", "int ranks, int ranksPerNode, int tokens", "ranks, ranksPerNode, tokens");
        Size("DispatchStagingBytes", "int ranks, int ranksPerNode, int tokens", "ranks, ranksPerNode, tokens");
        Size("ContiguousRows", "int ranks, int tokens, int padding", "ranks, tokens, padding");
        Size("SlabRows", "int ranks, int tokens", "ranks, tokens");

        void Size(string member, string parameters, string arguments) => Member("long", $"ExpertBuffers.{member}", member, parameters, arguments);

        void Member(string type, string target, string member, string parameters, string arguments)
        {
            code.Line($"/// <inheritdoc cref=\"{Namespace}{target}{{TRouting}}({string.Join(", ", arguments.Split(',').Select(_ => "int"))})\"/>");
            code.Line(GeneratedCode);
            code.Line($"public static {(type == "long" ? type : Namespace + type)} {member}({parameters}) => {Namespace}{target}<{name}>({arguments});");
            code.Line();
        }
    }
}
