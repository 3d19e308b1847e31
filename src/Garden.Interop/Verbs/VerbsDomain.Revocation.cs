using System.Buffers.Binary;
using Garden.Fabric;

namespace Garden.Interop.Verbs;

/// <summary>
/// Before a key ends, every connected NIC is told: it posts nothing more with the key, and answers with an empty immediate 0 on the data queue pair,
/// behind what it had posted. Without that a late write would be refused by the device, and the connection with it, or land in the next region
/// that the device gives the same number. So one that does not answer in time loses its connection: its queue pairs take nothing more.
/// </summary>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>How long writers are waited for: longer than a process that is well pauses, shorter than heartbeats may be missed for.</summary>
    private const int RevocationMilliseconds = 2000;

    /// <summary>The keys that a peer took back last; a stale descriptor is older than so many renewals only by a mistake of the layers above.</summary>
    private const int RevokedKeysRemembered = 16_384;

    /// <summary>Answers of all connections that found no slot.</summary>
    private int _owedAnswers;

    private VerbsRevocation? Announce(ulong key)
    {
        if (_failed)
            return null;
        VerbsRevocation? revocation = null;
        foreach (VerbsConnection connection in _connections.ToArray())
        {
            if (connection.IsOver || connection.PeerEpoch == 0)
                continue;
            revocation ??= new VerbsRevocation(key);
            revocation.Untold.Enqueue(connection);
        }

        return revocation;
    }

    /// <summary>Any thread: waits until the writers have answered, making progress itself: the worker may be the one who waits.</summary>
    private void Await(VerbsRevocation revocation)
    {
        long until = Environment.TickCount64 + RevocationMilliseconds;
        var spin = default(SpinWait);
        while (!Advance(revocation, Environment.TickCount64 > until))
            spin.SpinOnce();
    }

    private bool Advance(VerbsRevocation revocation, bool isLate)
    {
        lock (_gate)
        {
            if (_disposed || _failed)
                return true;
            while (revocation.Untold.TryPeek(out VerbsConnection? writer) && TryTell(writer, revocation))
                revocation.Untold.Dequeue();
            Advance();
            Harvest();
            if (_backlog.Count != 0)
                _wake.Wake();
            if (isLate)
            {
                foreach (VerbsConnection writer in (VerbsConnection[])[.. revocation.Unanswered, .. revocation.Untold])
                    FailConnection(writer, FabricStatus.RouteDown, VerbsErrors.Unrevoked);
                revocation.Untold.Clear();
                _wake.Wake();
            }

            return isLate || revocation.IsDone;
        }
    }

    private bool TryTell(VerbsConnection writer, VerbsRevocation revocation)
    {
        if (writer.IsOver)
            return true;
        Span<byte> key = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(key, revocation.Key);
        // Before it is sent: where that fails, the connection's end answers for it.
        writer.Revocations.Enqueue(revocation);
        revocation.Unanswered.Add(writer);
        if (TryStart(ControlFrameKind.Revocation, writer, -1, key, 0))
            return true;
        revocation.Unanswered.Remove(writer);
        // The one that was just put in is the last; all before it stay.
        for (int left = writer.Revocations.Count - 1; left > 0; left--)
            writer.Revocations.Enqueue(writer.Revocations.Dequeue());
        writer.Revocations.Dequeue();
        return false;
    }

    private void TakeRevocation(VerbsConnection connection, ReadOnlySpan<byte> content)
    {
        if (content.Length != sizeof(ulong))
            return;
        (connection.RevokedKeys ??= new RecentKeys(RevokedKeysRemembered)).Add(BinaryPrimitives.ReadUInt64LittleEndian(content));
        connection.OwedAnswers++;
        _owedAnswers++;
        AnswerRevocations(connection);
    }

    private void AnswerRevocations(VerbsConnection connection)
    {
        while (connection.OwedAnswers != 0 && !connection.IsOver)
        {
            int slot = _writes.TryTake(connection);
            if (slot < 0)
                return;
            connection.OwedAnswers--;
            _owedAnswers--;
            *_writes[slot] = new FabricWrite { Route = AnswerRoute };
            _writes.Append(ref connection.Waiting, slot);
        }

        FlushWrites(connection);
    }

    private static void TakeRevocationAnswer(VerbsConnection connection)
    {
        if (connection.Revocations.TryDequeue(out VerbsRevocation? revocation))
            revocation.Unanswered.Remove(connection);
    }
}
