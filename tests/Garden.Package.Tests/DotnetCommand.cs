using System.Diagnostics;

namespace Garden.Package.Tests;

/// <summary>Runs <c>dotnet</c> with a deadline, and leaves no build server behind.</summary>
internal static class DotnetCommand
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(4);

    /// <summary>Exit code and everything that was printed.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            Environment =
            {
                ["DOTNET_NOLOGO"] = "true",
                ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
                ["DOTNET_CLI_UI_LANGUAGE"] = "en",
                ["MSBUILDDISABLENODEREUSE"] = "1",
                ["UseSharedCompilation"] = "false",
                ["NO_COLOR"] = "1",
            },
        };
        // What the test runner sets for itself must not reach the build.
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) && name != "MSBUILDDISABLENODEREUSE").ToArray())
            start.Environment.Remove(name);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(s_deadline);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token), errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'dotnet {string.Join(' ', arguments)}' did not end within {s_deadline}.");
        }
    }

    /// <summary>What a run that must succeed printed.</summary>
    public static async Task<string> SucceedAsync(string folder, params string[] arguments)
    {
        (int code, string output) = await RunAsync(folder, arguments);
        Assert.True(code == 0, $"'dotnet {string.Join(' ', arguments)}' ended with {code}:\n{output}");
        return output;
    }
}
