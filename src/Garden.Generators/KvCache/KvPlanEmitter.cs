using static Garden.Generators.EmittedCode;
using static Garden.Generators.KvCache.KvEmit;

namespace Garden.Generators.KvCache;

/// <summary>The members of a KV plan. Equal layouts move whole pages, all others exactly the tokens asked for.</summary>
internal static class KvPlanEmitter
{
    public static void Emit(CodeWriter code, string name, KvLayout from, KvLayout to)
    {
        EmitState(code, name);
        EmitConstants(code, $"{Kv}IKvTransfer<{name}>", from, to);
        EmitLifetime(code, name, from, to);
        if (from == to)
            KvWholePagesEmitter.Emit(code, name, from);
        else
            KvTokensEmitter.Emit(code, name, from, to);
    }

    private static void EmitState(CodeWriter code, string name)
    {
        code.Line($"private readonly {Kv}KvTransferArguments _arguments;");
        code.Line();
        code.Line($"private {name}({Arguments}) => _arguments = arguments;");
        code.Line();
        code.Line("/// <summary>What the plan was created with.</summary>");
        code.Line(GeneratedCode);
        code.Line($"public {Kv}KvTransferArguments Arguments => _arguments;");
        code.Line();
    }

    private static void EmitConstants(CodeWriter code, string contract, KvLayout from, KvLayout to)
    {
        Constant(code, contract, "int", "Layers", $"{from.Layers}", "Layers of both layouts.");
        Constant(code, contract, "ulong", "SourceLayoutHash", $"0x{from.Hash:x16}UL", "Hash of the sender's layout.");
        Constant(code, contract, "ulong", "DestinationLayoutHash", $"0x{to.Hash:x16}UL", "Hash of the receiver's layout.");
        Constant(code, contract, "int", "SourceTokensPerPage", $"{from.TokensPerPage}", "Tokens per page on the sender's side.");
        Constant(code, contract, "int", "DestinationTokensPerPage", $"{to.TokensPerPage}", "Tokens per page on the receiver's side.");
        Constant(code, contract, "int", "SourceTensorParallel", $"{from.TensorParallel}", "Tensor-parallel ranks on the sender's side.");
        Constant(code, contract, "int", "DestinationTensorParallel", $"{to.TensorParallel}", "Tensor-parallel ranks on the receiver's side.");
    }

    private static void EmitLifetime(CodeWriter code, string name, KvLayout from, KvLayout to)
    {
        Method(code, $"public static {name} Create({Arguments}) => new {name}(in arguments);");
        code.Line();
        Method(code, $"public static long SourcePoolBytes(int pages) => pages * {from.Layers * from.BytesPerPage}L;", inline: true);
        code.Line();
        Method(code, $"public static long SourcePoolBytes(int pages, int layers) => pages * {LayerBytes(from)};", inline: true);
        code.Line();
        Method(code, $"public static long DestinationPoolBytes(int pages) => pages * {to.Layers * to.BytesPerPage}L;", inline: true);
        code.Line();
        Method(code, $"public static long DestinationPoolBytes(int pages, int layers) => pages * {LayerBytes(to)};", inline: true);
        code.Line();
        Method(code, $"public static void Validate(in {name} plan, ref {Root}PlanValidator validator) =>");
        code.Indented($"{Kv}KvTransferValidation.Require<{name}>(in plan._arguments, ref validator);");
        code.Line();
        EmitPair("Acquire", "Retain");
        EmitPair("Release", "Release");

        // A page-major pool holds all layers of a page side by side, so any layer needs the whole pool.
        static string LayerBytes(KvLayout layout) =>
            layout.PoolOrder == KvLayout.LayerMajor ? $"(layers * {layout.BytesPerPage}L)" : $"{layout.Layers * layout.BytesPerPage}L";

        void EmitPair(string member, string call)
        {
            OpenMethod(code, $"public static void {member}(in {name} plan)");
            code.Line($"plan._arguments.SourcePages.{call}();");
            code.Line($"plan._arguments.DestinationPages.{call}();");
            code.Close();
            code.Line();
        }
    }
}
