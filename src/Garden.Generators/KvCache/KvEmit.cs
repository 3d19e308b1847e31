namespace Garden.Generators.KvCache;

/// <summary>Words of the emitted code that are about the KV cache.</summary>
internal static class KvEmit
{
    public const string Kv = "global::Garden.KvCache.";
    public const string Arguments = "in " + Kv + "KvTransferArguments arguments";

    /// <summary>The signature of <c>Expand</c>.</summary>
    public static string ExpandOf(string name) =>
        $"public static int Expand(in {name} plan, ref {EmittedCode.Root}PlanCursor cursor, global::System.Span<{EmittedCode.Root}WriteDescriptor> descriptors)";
}
