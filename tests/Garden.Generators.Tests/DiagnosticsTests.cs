using Garden.Generators.KvCache;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Garden.Generators.Tests;

public sealed class DiagnosticsTests
{
    public static TheoryData<Type> Analyzers =>
    [
        .. typeof(KvCacheAnalyzer).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(DiagnosticAnalyzer))),
    ];

    [Theory]
    [MemberData(nameof(Analyzers))]
    public void Every_rule_has_a_page(Type analyzer)
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Garden.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("Garden.slnx is not above the test's folder.");
        Assert.All(((DiagnosticAnalyzer)Activator.CreateInstance(analyzer)!).SupportedDiagnostics, rule =>
        {
            Assert.EndsWith($"docs/diagnostics/{rule.Id}.md", rule.HelpLinkUri, StringComparison.Ordinal);
            Assert.StartsWith($"# {rule.Id}: {rule.Title}\n", File.ReadAllText(Path.Combine(root, "docs", "diagnostics", rule.Id + ".md")), StringComparison.Ordinal);
        });
    }
}
