namespace Garden.Perf.Fabric;

/// <summary>One end of a bare provider, opened as the engine opens it and used without the engine. Every write carries an immediate.</summary>
internal abstract class RawEnd : IDisposable
{
    /// <summary>Writes that have ended here.</summary>
    public long Ended { get; protected set; }

    /// <summary>Writes whose immediates have come from the other end.</summary>
    public long Arrived { get; protected set; }

    /// <summary>Becomes readable after <see cref="TryArm"/> when there is something to poll, −1 where ends are polled without a rest.</summary>
    public virtual int WaitDescriptor => -1;

    /// <summary>Makes the other end addressable.</summary>
    public abstract void Connect(RawEnd end);

    /// <summary>Posts a write; false when <c>depth</c> are under way or the provider takes none now. With <paramref name="more"/> it may be kept until the next one or the next poll.</summary>
    public abstract bool TryPost(long from, long to, long bytes, bool more);

    /// <summary>Posts up to <paramref name="most"/> writes from a place on and returns how many: fewer where <see cref="TryPost"/> would be refused.</summary>
    /// <param name="workload">What is written.</param>
    /// <param name="next">The place of the first, and afterwards of the first that is left.</param>
    /// <param name="most">Writes to post at most.</param>
    /// <param name="last">Whether nothing follows these.</param>
    public virtual long Post(Workload workload, ref WritePlace next, long most, bool last)
    {
        long posted = 0;
        while (posted < most && TryPost(workload.SourceOffset(next), workload.DestinationOffset(next), workload.Bytes, !last || posted + 1 < most))
        {
            posted++;
            workload.Advance(ref next);
        }

        return posted;
    }

    /// <summary>Makes progress.</summary>
    public abstract void Poll();

    /// <summary>Asks for a wake; false when there is something to poll already.</summary>
    public virtual bool TryArm() => false;

    public abstract void Dispose();
}
