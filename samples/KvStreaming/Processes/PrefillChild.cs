using System.Diagnostics;

namespace KvStreaming;

/// <summary>A prefill process with this one's command line. It does not outlive its owner.</summary>
internal sealed class PrefillChild : IDisposable
{
    private static readonly TimeSpan s_endDeadline = TimeSpan.FromSeconds(20);
    private readonly Process _process;

    private PrefillChild(Process process) => _process = process;

    public static PrefillChild Start(string place)
    {
        string[] line = Environment.GetCommandLineArgs();
        string program = Environment.ProcessPath!;
        // Started as "dotnet KvStreaming.dll …", the program is dotnet and the line's first part its first argument.
        IEnumerable<string> arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? line : line.Skip(1);
        return new PrefillChild(Process.Start(program, [.. arguments, "--role", "prefill", "--rendezvous", place])!);
    }

    /// <summary>Waits for its end, which comes with the decoder's goodbye.</summary>
    public async Task EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_endDeadline);
        if (_process.ExitCode != 0)
            throw new UsageException($"The prefill process ended with code {_process.ExitCode}; its messages stand above.");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
