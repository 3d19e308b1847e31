namespace Garden.Interop.Verbs.Native;

/// <summary>Constants of verbs.h.</summary>
internal static class IBV
{
    public const int IBV_QPS_INIT = 1;
    public const int IBV_QPS_RTR = 2;
    public const int IBV_QPS_RTS = 3;
    public const int IBV_QPS_ERR = 6;

    public const int IBV_QPT_RC = 2;
    public const int IBV_QPT_UD = 4;

    public const int IBV_QP_STATE = 1 << 0;
    public const int IBV_QP_ACCESS_FLAGS = 1 << 3;
    public const int IBV_QP_PKEY_INDEX = 1 << 4;
    public const int IBV_QP_PORT = 1 << 5;
    public const int IBV_QP_QKEY = 1 << 6;
    public const int IBV_QP_AV = 1 << 7;
    public const int IBV_QP_PATH_MTU = 1 << 8;
    public const int IBV_QP_TIMEOUT = 1 << 9;
    public const int IBV_QP_RETRY_CNT = 1 << 10;
    public const int IBV_QP_RNR_RETRY = 1 << 11;
    public const int IBV_QP_RQ_PSN = 1 << 12;
    public const int IBV_QP_MAX_QP_RD_ATOMIC = 1 << 13;
    public const int IBV_QP_MIN_RNR_TIMER = 1 << 15;
    public const int IBV_QP_SQ_PSN = 1 << 16;
    public const int IBV_QP_MAX_DEST_RD_ATOMIC = 1 << 17;
    public const int IBV_QP_DEST_QPN = 1 << 20;

    public const int IBV_ACCESS_LOCAL_WRITE = 1 << 0;
    public const int IBV_ACCESS_REMOTE_WRITE = 1 << 1;
    public const int IBV_ACCESS_RELAXED_ORDERING = 1 << 20;

    public const int IBV_WR_RDMA_WRITE = 0;
    public const int IBV_WR_RDMA_WRITE_WITH_IMM = 1;
    public const int IBV_WR_SEND = 2;

    public const uint IBV_SEND_SIGNALED = 1 << 1;
    public const uint IBV_SEND_INLINE = 1 << 3;

    public const int IBV_WC_SUCCESS = 0;
    public const int IBV_WC_LOC_LEN_ERR = 1;
    public const int IBV_WC_LOC_QP_OP_ERR = 2;
    public const int IBV_WC_LOC_PROT_ERR = 4;
    public const int IBV_WC_WR_FLUSH_ERR = 5;
    public const int IBV_WC_BAD_RESP_ERR = 7;
    public const int IBV_WC_LOC_ACCESS_ERR = 8;
    public const int IBV_WC_REM_INV_REQ_ERR = 9;
    public const int IBV_WC_REM_ACCESS_ERR = 10;
    public const int IBV_WC_REM_OP_ERR = 11;
    public const int IBV_WC_RETRY_EXC_ERR = 12;
    public const int IBV_WC_RNR_RETRY_EXC_ERR = 13;
    public const int IBV_WC_REM_ABORT_ERR = 16;
    public const int IBV_WC_FATAL_ERR = 19;

    public const int IBV_WC_RECV = 128;
    public const int IBV_WC_RECV_RDMA_WITH_IMM = 129;

    public const int IBV_EVENT_CQ_ERR = 0;
    public const int IBV_EVENT_DEVICE_FATAL = 8;
    public const int IBV_EVENT_SRQ_ERR = 14;

    public const int IBV_PORT_ACTIVE = 4;

    public const byte IBV_LINK_LAYER_UNSPECIFIED = 0;
    public const byte IBV_LINK_LAYER_INFINIBAND = 1;
    public const byte IBV_LINK_LAYER_ETHERNET = 2;

    public const uint IBV_GID_TYPE_IB = 0;
    public const uint IBV_GID_TYPE_ROCE_V1 = 1;
    public const uint IBV_GID_TYPE_ROCE_V2 = 2;
}
