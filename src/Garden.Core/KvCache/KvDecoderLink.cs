using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Garden.KvCache;

/// <summary>A decoder's session with one prefiller: the handshake, request numbers and who waits for a stop.</summary>
internal sealed class KvDecoderLink
{
    private readonly TaskCompletionSource<KvWelcome> _welcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<ulong, KvDecoderRequest> _requests = new();
    private long _sequence;

    public KvDecoderLink(Peer peer)
    {
        Peer = peer;
        Session = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    }

    public Peer Peer { get; }

    /// <summary>Random: what a late answer to an earlier session names, this one does not.</summary>
    public ulong Session { get; }

    public Task<KvWelcome> Welcome => _welcome.Task;

    /// <summary>Numbers are given out without gaps, from 1 on.</summary>
    public ulong Add(KvDecoderRequest request)
    {
        ulong sequence = (ulong)Interlocked.Increment(ref _sequence);
        _requests[sequence] = request;
        return sequence;
    }

    public void Remove(ulong sequence) => _requests.TryRemove(sequence, out _);

    public void OnWelcome(in KvWelcome welcome) => _welcome.TrySetResult(welcome);

    public void OnRefusal(in KvRefusal refusal) => _welcome.TrySetException(new KvHandshakeException(Peer.Address, refusal.Reason));

    /// <summary>False when nobody waits for it any more.</summary>
    public bool OnStopped(in KvStopped stopped)
    {
        if (!_requests.TryGetValue(stopped.Sequence, out KvDecoderRequest? request))
            return false;
        request.OnStopped(stopped);
        return true;
    }

    public void Fail(PeerFailedException failure)
    {
        _welcome.TrySetException(failure);
        foreach (KvDecoderRequest request in _requests.Values)
            request.OnPeerFailed(failure);
    }
}
