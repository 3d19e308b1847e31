using System.Buffers.Binary;

namespace Garden.Interop.Libfabric;

/// <summary>
/// Before a key ends, every NIC that has introduced itself is told: it posts nothing more with the key and answers. The answer
/// travels behind what it had posted, so nothing with that key is under way once all have answered.
/// </summary>
internal sealed unsafe partial class LibfabricDomain
{
    /// <summary>How long writers are waited for. One that does not even poll for so long is not heard of any more.</summary>
    private const int RevocationMilliseconds = 500;

    private Revocation? Announce(ulong key) => _failed || !_traits.AnnouncesRevocations || _senders.Count == 0
        ? null
        : new Revocation(key, _senders.Values.Where(static peer => !peer.IsGone).Distinct());

    /// <summary>Any thread: waits until the writers have answered, making progress itself: the worker may be the one who waits.</summary>
    private void Await(Revocation revocation)
    {
        long until = Environment.TickCount64 + RevocationMilliseconds;
        var spin = default(SpinWait);
        while (!Advance(revocation, Environment.TickCount64 > until))
            spin.SpinOnce();
    }

    private bool Advance(Revocation revocation, bool isLate)
    {
        lock (_gate)
        {
            if (_disposed || _failed)
                return true;
            while (revocation.Untold.TryPeek(out PeerNic? writer) && TryTell(writer, revocation))
                revocation.Untold.Dequeue();
            Advance();
            HarvestForWorker();
            if (isLate)
            {
                // A copy: a forgotten one is not waited for any more.
                foreach (PeerNic writer in (PeerNic[])[.. revocation.Unanswered, .. revocation.Untold])
                    ForgetSender(writer);
            }

            return isLate || revocation.IsDone;
        }
    }

    private bool TryTell(PeerNic writer, Revocation revocation)
    {
        if (writer.IsGone)
            return true;
        if (writer.Control is null or { HasFailed: true })
            writer.Control = new LibfabricRoute(-1, writer) { IsClosed = true };
        Span<byte> key = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(key, revocation.Key);
        return TryStart(FrameKind.Revocation, writer.Control, key, 0, revocation);
    }

    private void ForgetSender(PeerNic peer)
    {
        foreach ((ulong id, PeerNic known) in _senders)
        {
            if (known != peer)
                continue;
            _senders.Remove(id);
            Unreference(peer);
            return;
        }
    }

    /// <summary>Takes completions in on behalf of the worker, which may be parked.</summary>
    private bool HarvestForWorker()
    {
        bool any = Harvest();
        // Whatever there is to report, also what reading or making progress has left behind.
        if (_backlog.Count != 0 && !_disposed)
            _wake.Wake();
        return any;
    }
}
