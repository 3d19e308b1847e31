using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
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
        bool hasHeaders = File.Exists("/usr/include/rdma/fabric.h") && (File.Exists("/usr/bin/gcc") || File.Exists("/usr/bin/cc"));
        Backends.Require("tcp", hasHeaders, HeaderPackages);
        var source = new StringBuilder("#include <stdio.h>\n#include <stddef.h>\n#include <sys/uio.h>\n");
        foreach (string header in new[] { "fabric", "fi_domain", "fi_endpoint", "fi_eq", "fi_rma", "fi_cm" })
            source.Append(CultureInfo.InvariantCulture, $"#include <rdma/{header}.h>\n");
        source.Append("int main(void) {\n");
        foreach (Type type in structs)
        {
            source.Append(CultureInfo.InvariantCulture, $"printf(\"{type.Name} %zu\\n\", sizeof(struct {type.Name}));\n");
            foreach (FieldInfo field in Fields(type))
                source.Append(CultureInfo.InvariantCulture, $"printf(\"{type.Name}.{field.Name} %zu\\n\", offsetof(struct {type.Name}, {field.Name}));\n");
        }

        source.Append("return 0; }\n");
        string folder = Directory.CreateTempSubdirectory("garden-layout").FullName;
        try
        {
            string code = Path.Combine(folder, "layout.c"), program = Path.Combine(folder, "layout");
            await File.WriteAllTextAsync(code, source.ToString());
            await RunAsync("gcc", code, "-o", program);
            string output = await RunAsync(program);
            return output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(static line => line.Split(' '))
                .ToDictionary(static parts => parts[0], static parts => long.Parse(parts[1], CultureInfo.InvariantCulture));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {await errors}");
        return await output;
    }
}
