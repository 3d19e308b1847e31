using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Garden.KvCache;

/// <summary>Sends answers without making the protocol's loop wait for a full control queue.</summary>
internal sealed class KvReplies(TransferEngine engine, ushort channel, ILogger logger) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Task, byte> _running = new();

    public void Send(Peer peer, byte[] message) => Run(peer, () => Task.FromResult(message));

    /// <summary>Makes a message and sends it. A failure is logged: the peer's deadline covers it.</summary>
    public void Run(Peer peer, Func<Task<byte[]>> make)
    {
        Task task = SendAsync(peer, make);
        if (task.IsCompleted)
            return;
        _running.TryAdd(task, 0);
        task.ContinueWith(static (done, set) => ((ConcurrentDictionary<Task, byte>)set!).TryRemove(done, out _), _running, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(_running.Keys).ConfigureAwait(false);

    private async Task SendAsync(Peer peer, Func<Task<byte[]>> make)
    {
        try
        {
            await engine.SendAsync(peer, channel, await make().ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            KvLog.ReplyLost(logger, peer.Address, exception.Message);
        }
    }
}
