namespace Garden.Generators.KvCache;

public sealed partial class KvTransferGenerator
{
    private static string Emit(KvTransferModel model)
    {
        CodeWriter code = KvEmit.Begin(model.Type, $"{KvEmit.Kv}IKvTransfer<{model.Type.Name}>");
        KvPlanEmitter.Emit(code, model.Type.Name, model.From, model.To);
        return KvEmit.End(code, model.Type);
    }
}
