using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;

namespace Garden.Interop.Tests.Processes;

/// <summary>A <c>garden-test-host</c>: one side of a KV stream that can be killed.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly Process _process;

    private HostProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                _lines.Writer.TryComplete();
            else
                _lines.Writer.TryWrite(line.Data);
        };
        process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Starts one side; it ends with this process at the latest, because its input does.</summary>
    public static HostProcess Start(string role, string fabric, string place, TimeSpan layerTime) =>
        Start([role, fabric, place, $"{layerTime.TotalMilliseconds:0}"], []);

    /// <summary>Starts a prefiller that stays before a layer of a request.</summary>
    public static HostProcess StartHeldPrefiller(string fabric, string place, long request, int layer) => Start(["prefill", fabric, place, $"20,{request},{layer}"], []);

    /// <summary>Starts a rank of a weight update that goes on from a step.</summary>
    public static HostProcess StartRank(string role, string place, int rank, long step) => Start([role, "tcp", place, $"{rank},{step}"], []);

    /// <summary>Endpoints without engines that connect to the engine whose address is at the place.</summary>
    public static HostProcess StartStorm(string place, int endpoints) => Start(
        ["storm", "tcp", place, $"{endpoints}"],
        // With its defaults the provider's message layer (1.17) takes some 70 MB an endpoint: pools of 16 KiB buffers by the thousand. The
        // eager limit is the engine's, or the connection is refused.
        new()
        {
            ["FI_OFI_RXM_BUFFER_SIZE"] = "512",
            ["FI_OFI_RXM_EAGER_LIMIT"] = "16384",
            ["FI_OFI_RXM_MSG_RX_SIZE"] = "8",
            ["FI_OFI_RXM_MSG_TX_SIZE"] = "8",
            ["FI_OFI_RXM_RX_SIZE"] = "64",
            ["FI_OFI_RXM_TX_SIZE"] = "64",
        });

    private static HostProcess Start(string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "garden-test-host"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return new HostProcess(Process.Start(start)!);
    }

    /// <summary>Waits for a line that begins like this.</summary>
    public async Task<string> LineAsync(string beginning)
    {
        using var limit = new CancellationTokenSource(ProcessTests.Limit);
        try
        {
            await foreach (string line in _lines.Reader.ReadAllAsync(limit.Token))
            {
                if (line.StartsWith(beginning, StringComparison.Ordinal))
                    return line;
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"The process did not say \"{beginning}\" within {ProcessTests.Limit}; its errors: {string.Join('\n', _errors)}");
        }

        throw new InvalidOperationException($"The process ended without \"{beginning}\"; its errors: {string.Join('\n', _errors)}");
    }

    /// <summary>kill -9, and its end. The shared memory that a killed process leaves behind is the test's to remove.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().WaitAsync(ProcessTests.Limit);
        foreach (string file in Directory.GetFiles("/dev/shm", $"{_process.Id}:*"))
            File.Delete(file);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }
}
