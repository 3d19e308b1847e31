using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Garden.Interop.Tests;

/// <summary>Sizes and offsets of C types, by a program compiled from the installed headers.</summary>
internal static class HeaderProbe
{
    /// <summary>Compiles and runs a program that prints each expression's value, and returns the values in order.</summary>
    public static async Task<long[]> MeasureAsync(IEnumerable<string> headers, IReadOnlyList<string> expressions)
    {
        var source = new StringBuilder("#include <stdio.h>\n#include <stddef.h>\n#include <sys/uio.h>\n");
        foreach (string header in headers)
            source.Append(CultureInfo.InvariantCulture, $"#include <{header}>\n");
        source.Append("int main(void) {\n");
        foreach (string expression in expressions)
            source.Append(CultureInfo.InvariantCulture, $"printf(\"%lld\\n\", (long long)({expression}));\n");
        source.Append("return 0; }\n");
        string folder = Directory.CreateTempSubdirectory("garden-layout").FullName;
        try
        {
            string code = Path.Combine(folder, "layout.c"), program = Path.Combine(folder, "layout");
            await File.WriteAllTextAsync(code, source.ToString());
            await RunAsync("gcc", code, "-o", program);
            string output = await RunAsync(program);
            return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => long.Parse(line, CultureInfo.InvariantCulture))];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>True when the header and a compiler are here.</summary>
    public static bool IsPresent(string header) => File.Exists($"/usr/include/{header}") && (File.Exists("/usr/bin/gcc") || File.Exists("/usr/bin/cc"));

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
