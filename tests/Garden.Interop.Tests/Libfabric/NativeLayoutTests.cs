using System.Reflection;
using System.Runtime.InteropServices;
using Garden.Interop.Libfabric;
using Garden.Interop.Libfabric.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Every native struct against the installed headers, and every import against the installed library.</summary>
public sealed class NativeLayoutTests
{
    private const string HeaderPackages = "apt-get install -y libfabric-dev gcc libc6-dev";

    /// <summary>Structs of which the bindings declare the beginning only: tables and objects the library allocates.</summary>
    private static bool IsPrefix(Type type) => type.Name.StartsWith("fi_ops", StringComparison.Ordinal)
        // One word longer than in 1.17, for later libraries.
        || type == typeof(fi_cq_err_entry);

    [Fact]
    public async Task T8_StructsAreLaidOutAsInTheHeaders()
    {
        Type[] structs = [.. typeof(fid).Assembly.GetTypes()
            .Where(static type => type.Namespace == typeof(fid).Namespace && type is { IsValueType: true, IsEnum: false, IsNested: false })];
        Assert.True(structs.Length > 30, $"only {structs.Length} structs were found");
        Dictionary<string, long> native = await MeasureAsync(structs);
        foreach (Type type in structs)
        {
            foreach (FieldInfo field in Fields(type))
                Assert.True(native[$"{type.Name}.{field.Name}"] == (long)Marshal.OffsetOf(type, field.Name), $"{type.Name}.{field.Name} is at {Marshal.OffsetOf(type, field.Name)}, in the headers at {native[$"{type.Name}.{field.Name}"]}");
            long size = Marshal.SizeOf(type);
            Assert.True(IsPrefix(type) || native[type.Name] == size, $"{type.Name} has {size} bytes, in the headers {native[type.Name]}");
        }
    }

    [Fact]
    public async Task T8_OptionsOfEfaFollowTheLastOneThatOldHeadersHave()
    {
        Backends.Require("tcp", HeaderProbe.IsPresent("rdma/fi_endpoint.h"), HeaderPackages);
        long[] last = await HeaderProbe.MeasureAsync(["rdma/fi_endpoint.h"], ["FI_OPT_XPU_TRIGGER"]);
        Assert.Equal(EfaFabric.CudaApiPermitted - 1, last[0]);
        Assert.Equal(EfaFabric.SharedMemoryPermitted - 2, last[0]);
    }

    [Fact]
    public void ImportsAreInTheLibrary()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        MethodInfo[] imports = [.. typeof(Imports).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly)];
        Assert.True(imports.Length >= 6);
        Assert.All(imports, static import => Assert.True(
            NativeLibrary.TryGetExport(NativeLibrary.Load("libfabric.so.1"), import.Name, out _), $"libfabric.so.1 does not export {import.Name}"));
    }

    [Fact]
    public void T8_NullReferencesAreExceptionsStillOnceTheLibraryIsLoaded()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        string? nothing = Environment.GetEnvironmentVariable("GARDEN_NOT_SET");
        Assert.Throws<NullReferenceException>(() => nothing!.Length);
    }

    private static FieldInfo[] Fields(Type type) => type == typeof(fi_context2)
        ? []
        : [.. type.GetFields(BindingFlags.Instance | BindingFlags.Public).Where(static field => field.Name is not "src_addr" || field.DeclaringType != typeof(fi_cq_err_entry))];

    private static async Task<Dictionary<string, long>> MeasureAsync(Type[] structs)
    {
        Backends.Require("tcp", HeaderProbe.IsPresent("rdma/fabric.h"), HeaderPackages);
        var names = new List<string>();
        var expressions = new List<string>();
        foreach (Type type in structs)
        {
            names.Add(type.Name);
            expressions.Add($"sizeof(struct {type.Name})");
            foreach (FieldInfo field in Fields(type))
            {
                names.Add($"{type.Name}.{field.Name}");
                expressions.Add($"offsetof(struct {type.Name}, {field.Name})");
            }
        }

        long[] values = await HeaderProbe.MeasureAsync(
            new[] { "fabric", "fi_domain", "fi_endpoint", "fi_eq", "fi_rma", "fi_cm" }.Select(static header => $"rdma/{header}.h"), expressions);
        return names.Zip(values).ToDictionary(static pair => pair.First, static pair => pair.Second);
    }
}
