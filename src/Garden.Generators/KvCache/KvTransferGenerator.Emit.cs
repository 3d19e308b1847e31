namespace Garden.Generators.KvCache;

public sealed partial class KvTransferGenerator
{
    private static string Emit(KvTransferModel model)
    {
        CodeWriter code = EmittedCode.Begin(model.Type, $"{KvEmit.Kv}IKvTransfer<{model.Type.Name}>");
        KvPlanEmitter.Emit(code, model.Type.Name, model.From, model.To);
        return EmittedCode.End(code, model.Type);
    }
}
