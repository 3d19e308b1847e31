using System.Reflection;
using System.Runtime.InteropServices;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Every native struct and constant against the installed headers, and every import against the installed library.</summary>
public sealed class VerbsLayoutTests
{
    private const string HeaderPackages = "apt-get install -y libibverbs-dev gcc libc6-dev";

    /// <summary>Objects the library makes, of which the bindings declare the beginning only.</summary>
    private static readonly Type[] s_prefixes = [typeof(ibv_context), typeof(ibv_cq), typeof(ibv_srq), typeof(ibv_qp)];

    /// <summary>Members of unions carry their path in their names.</summary>
    private static readonly (string Here, string There)[] s_paths = [("wr_rdma_", "wr.rdma."), ("wr_ud_", "wr.ud."), ("global_", "global.")];

    [Fact]
    public async Task T8_StructsAreLaidOutAsInTheHeaders()
    {
        Type[] structs = [.. typeof(ibv_wc).Assembly.GetTypes()
            .Where(static type => type.Namespace == typeof(ibv_wc).Namespace && type is { IsValueType: true, IsEnum: false, IsNested: false })];
        Assert.True(structs.Length > 20, $"only {structs.Length} structs were found");
        var expected = new List<(string What, string Expression, long Here)>();
        foreach (Type type in structs)
        {
            string name = type == typeof(ibv_gid) ? $"union {type.Name}" : $"struct {type.Name}";
            if (!s_prefixes.Contains(type))
                expected.Add(($"sizeof {type.Name}", $"sizeof({name})", Marshal.SizeOf(type)));
            foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public))
            {
                string member = s_paths.Aggregate(field.Name, static (text, path) => text.StartsWith(path.Here, StringComparison.Ordinal) ? path.There + text[path.Here.Length..] : text);
                expected.Add(($"{type.Name}.{field.Name}", $"offsetof({name}, {member})", (long)Marshal.OffsetOf(type, field.Name)));
            }
        }

        await AssertAsync(expected);
    }

    [Fact]
    public async Task T8_ConstantsAreThoseOfTheHeaders()
    {
        FieldInfo[] constants = [.. typeof(IBV).GetFields(BindingFlags.Static | BindingFlags.Public)];
        Assert.True(constants.Length > 50, $"only {constants.Length} constants were found");
        await AssertAsync([.. constants.Select(static field => (field.Name, field.Name, Convert.ToInt64(field.GetRawConstantValue(), provider: null)))]);
    }

    [Fact]
    public void ImportsAreInTheLibrary()
    {
        Backends.Require("verbs", VerbsLibrary.IsPresent, VerbsLibrary.InstallLine);
        nint library = NativeLibrary.Load(VerbsLibrary.Soname);
        MethodInfo[] imports = [.. typeof(Imports).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly)];
        Assert.True(imports.Length >= 25);
        Assert.All(imports, import => Assert.True(NativeLibrary.TryGetExport(library, import.Name, out _), $"{VerbsLibrary.Soname} does not export {import.Name}"));
    }

    private static async Task AssertAsync(IReadOnlyList<(string What, string Expression, long Here)> expected)
    {
        Backends.Require("verbs", HeaderProbe.IsPresent("infiniband/verbs.h"), HeaderPackages);
        long[] there = await HeaderProbe.MeasureAsync(["infiniband/verbs.h"], [.. expected.Select(static one => one.Expression)]);
        Assert.Equal(expected.Count, there.Length);
        Assert.All(expected.Zip(there), static pair => Assert.True(pair.First.Here == pair.Second, $"{pair.First.What} is {pair.First.Here}, in the headers {pair.Second}"));
    }
}
