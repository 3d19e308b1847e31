using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Garden.Samples;

/// <summary>
/// How two processes find each other without a directory service: one publishes a line of text, its engine's address, and the other
/// fetches it. The place is a file (<c>file:/tmp/prefill.address</c>) or a TCP endpoint of the publisher (<c>10.0.0.1:7000</c>).
/// </summary>
/// <remarks>For examples and tests: nothing is authenticated. What the engines themselves admit is up to their options.</remarks>
public static class Rendezvous
{
    private const int MostBytes = 4096;
    private static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(20);

    /// <summary>Publishes a line until the result is disposed.</summary>
    /// <exception cref="ArgumentException">The place is neither a file nor an endpoint, or the text is longer than a line may be.</exception>
    public static async Task<IAsyncDisposable> PublishAsync(string place, string line)
    {
        if (Encoding.UTF8.GetByteCount(line) >= MostBytes || line.Contains('\n', StringComparison.Ordinal))
            throw new ArgumentException($"What is published is one line of less than {MostBytes} bytes.", nameof(line));
        if (FileOf(place) is not { } path)
            return new Endpoint(EndpointOf(place), line);
        // Written beside it and moved, so that nobody reads half of it.
        string beside = $"{path}.{Environment.ProcessId}";
        await File.WriteAllTextAsync(beside, line + "\n");
        File.Move(beside, path, overwrite: true);
        return new PublishedFile(path);
    }

    /// <summary>Waits until something is published at the place, and returns it.</summary>
    /// <exception cref="TimeoutException">Nothing was within the deadline.</exception>
    public static async Task<string> FindAsync(string place, TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        string? path = FileOf(place);
        IPEndPoint? endpoint = path is null ? EndpointOf(place) : null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(deadline);
        try
        {
            while (true)
            {
                string? line = endpoint is null ? await ReadFileAsync(path!, limit.Token) : await AskAsync(endpoint, limit.Token);
                if (line is not null && line.EndsWith('\n'))
                    return line[..^1];
                await Task.Delay(s_retry, limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Nothing was published at {place} within {deadline.TotalSeconds:0.###} s; is the other process running, and is the place the same?");
        }
    }

    private static string? FileOf(string place) => place.StartsWith("file:", StringComparison.Ordinal) ? place["file:".Length..] : null;

    private static IPEndPoint EndpointOf(string place) => IPEndPoint.TryParse(place, out IPEndPoint? endpoint) && endpoint.Port != 0
        ? endpoint
        : throw new ArgumentException($"A place is \"file:PATH\" or \"ADDRESS:PORT\"; got \"{place}\".", nameof(place));

    private static async Task<string?> ReadFileAsync(string path, CancellationToken cancellationToken) =>
        File.Exists(path) ? await File.ReadAllTextAsync(path, cancellationToken) : null;

    private static async Task<string?> AskAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(endpoint, cancellationToken);
            byte[] buffer = new byte[MostBytes];
            int length = 0;
            while (length < buffer.Length && await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken) is var more and > 0)
                length += more;
            return Encoding.UTF8.GetString(buffer, 0, length);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private sealed class PublishedFile(string path) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            File.Delete(path);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Tells everyone who connects, then closes.</summary>
    private sealed class Endpoint : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Socket _listener;
        private readonly Task _loop;

        public Endpoint(IPEndPoint endpoint, string line)
        {
            _listener = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(endpoint);
            _listener.Listen();
            _loop = TellAsync(Encoding.UTF8.GetBytes(line + "\n"));
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _listener.Dispose();
            _stop.Dispose();
        }

        private async Task TellAsync(byte[] line)
        {
            while (true)
            {
                using Socket socket = await _listener.AcceptAsync(_stop.Token);
                try
                {
                    await socket.SendAsync(line, _stop.Token);
                }
                catch (SocketException)
                {
                    // Whoever asked has gone; the next one asks anew.
                }
            }
        }
    }
}
