using System.Diagnostics;
using System.Globalization;

namespace ExpertParallel.Processes;

/// <summary>A rank's process as its leader sees it.</summary>
internal sealed class RankProcess : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    public RankProcess(int rank)
    {
        Rank = rank;
        string[] line = Environment.GetCommandLineArgs();
        string program = Environment.ProcessPath!;
        // Started as "dotnet ExpertParallel.dll …", the program is dotnet and the line's first part its first argument.
        IEnumerable<string> arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? line : line.Skip(1);
        _process = Process.Start(new ProcessStartInfo(program, [.. arguments, "--rank", rank.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
    }

    public int Rank { get; }

    /// <summary>What others connect to; the first line.</summary>
    public string Address { get; private set; } = "";

    public async Task StartedAsync(CancellationToken cancellationToken) => Address = await ReadAsync(cancellationToken);

    public void Tell(string line) => _process.StandardInput.WriteLine(line);

    public async Task<string> ReadAsync(CancellationToken cancellationToken) =>
        await _process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(s_limit, cancellationToken)
        ?? throw new TimeoutException($"The process of rank {Rank} has ended.");

    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>None outlives its leader.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
