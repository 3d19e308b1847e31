using System.Runtime.InteropServices;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>The receives that arriving immediates use up. They have no buffers and are all alike, so only their number matters.</summary>
internal sealed unsafe class ImmediateReceives : IDisposable
{
    /// <summary>Receives posted in one call at most.</summary>
    private const int Batch = 64;

    private readonly ibv_srq* _queue;
    private readonly ibv_recv_wr* _requests;

    /// <summary>Posts the first ones.</summary>
    public ImmediateReceives(ibv_srq* queue, int count, string where)
    {
        _queue = queue;
        _requests = (ibv_recv_wr*)NativeMemory.AlignedAlloc(Batch * (nuint)sizeof(ibv_recv_wr), 64);
        for (int i = 0; i < Batch; i++)
            _requests[i] = new ibv_recv_wr { wr_id = WorkId.Pack(WorkKind.ImmediateReceive, 0, 0) };
        Missing = count;
        int error = Repost();
        if (error != 0)
            Dispose();
        VerbsErrors.Check(error, "ibv_post_srq_recv", where);
    }

    /// <summary>Receives that were used up and not posted again.</summary>
    public int Missing { get; set; }

    /// <summary>Posts what is missing and returns the error number.</summary>
    public int Repost()
    {
        while (Missing != 0)
        {
            int count = Math.Min(Missing, Batch);
            // Safe: count requests of Batch, linked in order and ended behind the last.
            for (int i = 0; i < count; i++)
                _requests[i].next = _requests + i + 1;
            _requests[count - 1].next = null;
            ibv_recv_wr* bad;
            int error = Calls.ibv_post_srq_recv(_queue, _requests, &bad);
            if (error != 0)
                return error;
            Missing -= count;
        }

        return 0;
    }

    public void Dispose() => NativeMemory.AlignedFree(_requests);
}
