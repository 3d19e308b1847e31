using System.Security.Cryptography;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>
/// The unreliable queue pair that connection datagrams go over. It needs nothing but the port, so it works on InfiniBand without IP as on
/// Ethernet; what is lost is repeated by those who wait for an answer.
/// </summary>
internal sealed unsafe class DatagramQueue : IDisposable
{
    private const int Sends = 64, Receives = 256;

    /// <summary>Every datagram that comes has room for a global route before it.</summary>
    private const int RouteLength = 40;

    private readonly BufferPool _out;
    private readonly BufferPool _in;
    private readonly Stack<int> _free = new(Enumerable.Range(0, Sends));
    private ibv_qp* _qp;

    public DatagramQueue(VerbsNic nic)
    {
        string where = nic.Port.ToString();
        // The highest bit of a queue key is reserved to privileged users.
        Key = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
        var attributes = new ibv_qp_init_attr
        {
            send_cq = nic.Cq,
            recv_cq = nic.Cq,
            qp_type = IBV.IBV_QPT_UD,
            cap = new ibv_qp_cap { max_send_wr = Sends, max_recv_wr = Receives, max_send_sge = 1, max_recv_sge = 1 },
        };
        try
        {
            _out = new BufferPool(nic.Pd, Sends, ConnectionOffer.MaxLength, where);
            _in = new BufferPool(nic.Pd, Receives, RouteLength + ConnectionOffer.MaxLength, where);
            _qp = Imports.ibv_create_qp(nic.Pd, &attributes);
            VerbsErrors.Check(_qp, "ibv_create_qp (datagrams)", where);
            var state = new ibv_qp_attr { qp_state = IBV.IBV_QPS_INIT, pkey_index = nic.Port.PartitionIndex, port_num = nic.Port.Number, qkey = Key };
            Modify(&state, IBV.IBV_QP_STATE | IBV.IBV_QP_PKEY_INDEX | IBV.IBV_QP_PORT | IBV.IBV_QP_QKEY, where);
            for (int i = 0; i < Receives; i++)
                VerbsErrors.Check(Post(i), "ibv_post_recv", where);
            state = new ibv_qp_attr { qp_state = IBV.IBV_QPS_RTR };
            Modify(&state, IBV.IBV_QP_STATE, where);
            state = new ibv_qp_attr { qp_state = IBV.IBV_QPS_RTS };
            Modify(&state, IBV.IBV_QP_STATE | IBV.IBV_QP_SQ_PSN, where);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Completions it may have under way.</summary>
    public static int Completions => Sends + Receives;

    public uint Number => _qp->qp_num;

    /// <summary>What datagrams must carry to be let in.</summary>
    public uint Key { get; }

    /// <summary>True when nothing that was sent is still with the NIC.</summary>
    public bool IsIdle => _free.Count == Sends;

    /// <summary>Sends a datagram. One that finds no free buffer is dropped, as the wire may drop it.</summary>
    public void Send(ConnectionOffer offer, ibv_ah* path, VerbsAddress to)
    {
        if (_qp is null || !_free.TryPop(out int index))
            return;
        // Safe: the buffer has room for the longest datagram.
        int length = offer.Write(new Span<byte>(_out[index], ConnectionOffer.MaxLength));
        ibv_sge piece = _out.PieceOf(index, length);
        var request = new ibv_send_wr
        {
            wr_id = WorkId.Pack(WorkKind.DatagramSend, index, 0),
            sg_list = &piece,
            num_sge = 1,
            opcode = IBV.IBV_WR_SEND,
            send_flags = IBV.IBV_SEND_SIGNALED,
            wr_ud_ah = path,
            wr_ud_remote_qpn = to.QueuePair,
            wr_ud_remote_qkey = to.QueueKey,
        };
        ibv_send_wr* bad;
        if (Calls.ibv_post_send(_qp, &request, &bad) != 0)
            _free.Push(index);
    }

    /// <summary>A send has ended. One that failed stops the queue until it is told to go on; returns the error number of that.</summary>
    public int EndSend(int index, int status)
    {
        _free.Push(index);
        if (status is IBV.IBV_WC_SUCCESS or IBV.IBV_WC_WR_FLUSH_ERR || _qp is null)
            return 0;
        var attributes = new ibv_qp_attr { qp_state = IBV.IBV_QPS_RTS };
        int error = Imports.ibv_modify_qp(_qp, &attributes, IBV.IBV_QP_STATE);
        // Devices that do not stop at a failed send have nothing to go on with.
        return error is LibC.EINVAL ? 0 : error;
    }

    /// <summary>What came, null when it is nothing of this version.</summary>
    public ConnectionOffer? Read(int index, int length)
    {
        // Safe: the NIC has filled length bytes of the buffer, at most what it has.
        int payload = Math.Min(length, _in.Length) - RouteLength;
        return payload <= 0 ? null : ConnectionOffer.TryParse(new ReadOnlySpan<byte>(_in[index] + RouteLength, payload));
    }

    /// <summary>Posts a buffer again and returns the error number.</summary>
    public int Repost(int index) => _qp is null ? 0 : Post(index);

    /// <summary>Destroys the queue pair alone; the buffers stay until <see cref="Dispose"/>.</summary>
    public void Close()
    {
        if (_qp is null)
            return;
        ibv_qp* qp = _qp;
        _qp = null;
        _ = Imports.ibv_destroy_qp(qp);
    }

    public void Dispose()
    {
        Close();
        // Null after a constructor that failed.
        _out?.Dispose();
        _in?.Dispose();
    }

    private int Post(int index)
    {
        ibv_sge piece = _in.PieceOf(index, _in.Length);
        var request = new ibv_recv_wr { wr_id = WorkId.Pack(WorkKind.DatagramReceive, index, 0), sg_list = &piece, num_sge = 1 };
        ibv_recv_wr* bad;
        return Calls.ibv_post_recv(_qp, &request, &bad);
    }

    private void Modify(ibv_qp_attr* attributes, int mask, string where) =>
        VerbsErrors.Check(Imports.ibv_modify_qp(_qp, attributes, mask), $"ibv_modify_qp (datagrams, to state {attributes->qp_state})", where);
}
