using System.Runtime.InteropServices;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;

namespace Garden.Perf.Fabric;

/// <summary>A bare queue pair through the same bindings: chains of RDMA_WRITE_WITH_IMM, the last of each signaled, receives posted again in batches.</summary>
internal sealed unsafe class VerbsEnd : RawEnd
{
    private const int EntriesPerRead = 32;

    /// <summary>Receives beyond the depth: what is under way when one batch is read.</summary>
    private const int MoreReceives = 256;

    private readonly VerbsOptions _options;
    private readonly int _depth;
    private readonly VerbsNic _nic;
    private readonly QueuePair _pair;
    private readonly ImmediateReceives _receives;
    private readonly WriteChain _chain;
    private readonly ibv_mr* _region;
    private readonly ibv_wc* _entries;
    private readonly ulong _local;
    private ulong _remote;
    private uint _remoteKey;
    private long _posted;
    private bool _armed;

    public VerbsEnd(string device, VerbsOptions options, NativeBuffer memory, int depth)
    {
        _options = options;
        _depth = depth;
        int receives = depth + MoreReceives;
        _nic = VerbsNic.Open(DeviceName.Parse(device), options, depth + receives, receives, 1);
        _pair = new QueuePair(_nic, _nic.Immediates, depth, 1, options.InlineBytes);
        _receives = new ImmediateReceives(_nic.Immediates, receives, device);
        _chain = new WriteChain(options.ChainLength, 1);
        _local = (ulong)memory.Pointer;
        _region = Imports.ibv_reg_mr_iova2(_nic.Pd, memory.Pointer, (nuint)memory.Length, _local, IBV.IBV_ACCESS_LOCAL_WRITE | IBV.IBV_ACCESS_REMOTE_WRITE);
        VerbsErrors.Check(_region, "ibv_reg_mr", device);
        _entries = (ibv_wc*)NativeMemory.AlignedAlloc(EntriesPerRead * (nuint)sizeof(ibv_wc), 64);
    }

    public override int WaitDescriptor => _nic.WaitDescriptor;

    public override void Connect(RawEnd end)
    {
        var other = (VerbsEnd)end;
        _pair.Connect(
            new VerbsAddress(other._nic.Port.Gid, other._nic.Port.Lid, 0, 0, 0), other._pair.Number, other._pair.FirstPacket, other._nic.Port.Mtu, _options);
        _remote = other._local;
        _remoteKey = other._region->rkey;
    }

    public override bool TryPost(long from, long to, long bytes, bool more)
    {
        if (_posted - Ended == _depth)
            return false;
        ibv_send_wr* request = _chain.Begin(_remote + (ulong)to, _remoteKey);
        _chain.TryAdd(request, _local + (ulong)from, (uint)bytes, _region->lkey);
        WriteChain.SetImmediate(request, 1);
        if (bytes <= Math.Min(_options.InlineBytes, _pair.InlineBytes))
            request->send_flags |= IBV.IBV_SEND_INLINE;
        request->wr_id = (ulong)++_posted;
        if (!more || _chain.Count == _chain.Length)
            Flush();
        return true;
    }

    public override void Poll()
    {
        Flush();
        Read();
    }

    public override bool TryArm()
    {
        if (!_armed || _nic.TryTakeWake())
            VerbsErrors.Check(Calls.ibv_req_notify_cq(_nic.Cq, 0), "ibv_req_notify_cq", "the raw loop");
        _armed = true;
        return !Read();
    }

    public override void Dispose()
    {
        _pair.Dispose();
        _ = Imports.ibv_dereg_mr(_region);
        _receives.Dispose();
        _chain.Dispose();
        _nic.Dispose();
        NativeMemory.AlignedFree(_entries);
    }

    private void Flush()
    {
        if (_chain.Count == 0)
            return;
        VerbsErrors.Check(_chain.Post(_pair.Native), "ibv_post_send", "the raw loop");
        _chain.Clear();
    }

    private bool Read()
    {
        int count = Calls.ibv_poll_cq(_nic.Cq, EntriesPerRead, _entries);
        VerbsErrors.Check(Math.Min(0, count), "ibv_poll_cq", "the raw loop");
        for (int i = 0; i < count; i++)
        {
            if (_entries[i].status != IBV.IBV_WC_SUCCESS)
                throw new FabricException($"A write of the raw loop ended as {VerbsErrors.Text(_entries[i].status)}: {VerbsErrors.Explain(_entries[i].status)}");
            if (_entries[i].opcode == IBV.IBV_WC_RECV_RDMA_WITH_IMM)
            {
                Arrived++;
                _receives.Missing++;
            }
            else
            {
                // A request's completion stands for those before it.
                Ended = (long)_entries[i].wr_id;
            }
        }

        VerbsErrors.Check(_receives.Repost(), "ibv_post_srq_recv", "the raw loop");
        return count != 0;
    }
}
