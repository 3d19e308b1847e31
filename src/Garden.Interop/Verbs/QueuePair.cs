using System.Security.Cryptography;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>One end of a reliable connection, moved through its states: made, init, ready to receive, ready to send, error.</summary>
internal sealed unsafe class QueuePair : IDisposable
{
    /// <summary>InfiniBand's code for 0.64 ms: how long a sender waits when a receive is missing, which credits prevent.</summary>
    private const byte ReceiverNotReadyTimer = 12;

    private const byte ReceiverNotReadyRetries = 6;
    private const byte MostHops = 64;

    /// <summary>A control frame of credits goes inline.</summary>
    private const uint LeastInline = ControlFrame.Length;

    private readonly VerbsNic _nic;
    private ibv_qp* _qp;

    /// <summary>Makes a queue pair in state init, which peers may write over where it <paramref name="takesWrites"/>.</summary>
    /// <exception cref="FabricException">It could not be made.</exception>
    public QueuePair(VerbsNic nic, ibv_srq* receives, int depth, int pieces, int inlineBytes, bool takesWrites = true)
    {
        _nic = nic;
        var attributes = new ibv_qp_init_attr
        {
            send_cq = nic.Cq,
            recv_cq = nic.Cq,
            srq = receives,
            qp_type = IBV.IBV_QPT_RC,
            cap = new ibv_qp_cap { max_send_wr = (uint)depth, max_send_sge = (uint)pieces, max_inline_data = Math.Max(LeastInline, (uint)inlineBytes) },
        };
        ibv_qp* qp = Imports.ibv_create_qp(nic.Pd, &attributes);
        // Devices do not say beforehand how much they take inline.
        for (; qp is null && attributes.cap.max_inline_data > LeastInline; qp = Imports.ibv_create_qp(nic.Pd, &attributes))
            attributes.cap.max_inline_data = Math.Max(LeastInline, attributes.cap.max_inline_data / 2);
        VerbsErrors.Check(qp, $"ibv_create_qp ({depth} requests of {pieces} pieces, {attributes.cap.max_inline_data} bytes inline)", nic.Port.ToString());
        _qp = qp;
        Number = qp->qp_num;
        InlineBytes = (int)attributes.cap.max_inline_data;
        FirstPacket = (uint)RandomNumberGenerator.GetInt32(1 << 24);
        try
        {
            var init = new ibv_qp_attr
            {
                qp_state = IBV.IBV_QPS_INIT,
                pkey_index = nic.Port.PartitionIndex,
                port_num = nic.Port.Number,
                qp_access_flags = (uint)(IBV.IBV_ACCESS_LOCAL_WRITE | (takesWrites ? IBV.IBV_ACCESS_REMOTE_WRITE : 0)),
            };
            Modify(&init, IBV.IBV_QP_STATE | IBV.IBV_QP_PKEY_INDEX | IBV.IBV_QP_PORT | IBV.IBV_QP_ACCESS_FLAGS);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public ibv_qp* Native => _qp;

    public uint Number { get; }

    /// <summary>How many bytes of payload a request may carry in itself.</summary>
    public int InlineBytes { get; }

    /// <summary>The packet number it sends first.</summary>
    public uint FirstPacket { get; }

    /// <summary>Connects it to a remote queue pair whose port takes payloads of <paramref name="mtu"/> bytes: afterwards it receives and sends.</summary>
    /// <exception cref="FabricException">The NIC refused; the message names the step.</exception>
    public void Connect(VerbsAddress remote, uint remoteNumber, uint remotePacket, int mtu, VerbsOptions options)
    {
        ibv_qp_attr receive = ToReceive(_nic.Port, remote, remoteNumber, remotePacket, mtu, options);
        Modify(
            &receive,
            IBV.IBV_QP_STATE | IBV.IBV_QP_AV | IBV.IBV_QP_PATH_MTU | IBV.IBV_QP_DEST_QPN | IBV.IBV_QP_RQ_PSN | IBV.IBV_QP_MAX_DEST_RD_ATOMIC | IBV.IBV_QP_MIN_RNR_TIMER);
        ibv_qp_attr send = ToSend(FirstPacket, options);
        Modify(
            &send,
            IBV.IBV_QP_STATE | IBV.IBV_QP_TIMEOUT | IBV.IBV_QP_RETRY_CNT | IBV.IBV_QP_RNR_RETRY | IBV.IBV_QP_SQ_PSN | IBV.IBV_QP_MAX_QP_RD_ATOMIC);
    }

    /// <summary>What moves a queue pair on so that it takes a remote one's packets, of at most the payload that both ports take.</summary>
    internal static ibv_qp_attr ToReceive(VerbsPort port, VerbsAddress remote, uint remoteNumber, uint remotePacket, int remoteMtu, VerbsOptions options) => new()
    {
        qp_state = IBV.IBV_QPS_RTR,
        // The codes are 1 for 256 bytes to 5 for 4096.
        path_mtu = System.Numerics.BitOperations.Log2((uint)Math.Min(port.Mtu, remoteMtu)) - 7,
        dest_qp_num = remoteNumber,
        rq_psn = remotePacket,
        max_dest_rd_atomic = 1,
        min_rnr_timer = ReceiverNotReadyTimer,
        ah_attr = PathTo(port, remote, options),
    };

    /// <summary>What moves it on so that it sends, from its own first packet number.</summary>
    internal static ibv_qp_attr ToSend(uint firstPacket, VerbsOptions options) => new()
    {
        qp_state = IBV.IBV_QPS_RTS,
        timeout = (byte)options.AckTimeoutExponent,
        retry_cnt = (byte)options.RetryCount,
        rnr_retry = ReceiverNotReadyRetries,
        sq_psn = firstPacket,
        max_rd_atomic = 1,
    };

    /// <summary>Ends it: what is posted comes back flushed and what arrives is not looked at. A queue pair that is in that state already stays there.</summary>
    public void Fail()
    {
        if (_qp is null)
            return;
        var attributes = new ibv_qp_attr { qp_state = IBV.IBV_QPS_ERR };
        // A device that is gone refuses; its queue pairs are over as well.
        _ = Imports.ibv_modify_qp(_qp, &attributes, IBV.IBV_QP_STATE);
    }

    /// <summary>Destroys it: the NIC touches nothing on its behalf any more.</summary>
    public void Dispose()
    {
        if (_qp is null)
            return;
        ibv_qp* qp = _qp;
        _qp = null;
        _ = Imports.ibv_destroy_qp(qp);
    }

    /// <summary>The way from a port to a remote one.</summary>
    public static ibv_ah_attr PathTo(VerbsPort port, VerbsAddress remote, VerbsOptions options)
    {
        var path = new ibv_ah_attr { port_num = port.Number, sl = options.ServiceLevel, dlid = remote.Lid };
        // On Ethernet the identifier is the address; on InfiniBand it is needed only beyond the subnet, whose first eight bytes differ.
        ReadOnlySpan<byte> here = port.Gid.GetAddressBytes(), there = remote.Gid.GetAddressBytes();
        if (!port.IsEthernet && here[..8].SequenceEqual(there[..8]))
            return path;
        path.is_global = 1;
        // Safe: an identifier has 16 bytes, as an IPv6 address does.
        there.CopyTo(new Span<byte>(path.grh.dgid.raw, 16));
        path.grh.sgid_index = port.GidIndex;
        path.grh.hop_limit = MostHops;
        path.grh.traffic_class = options.TrafficClass;
        return path;
    }

    private void Modify(ibv_qp_attr* attributes, int mask) =>
        VerbsErrors.Check(Imports.ibv_modify_qp(_qp, attributes, mask), $"ibv_modify_qp (to state {attributes->qp_state})", _nic.Port.ToString());
}
