namespace Garden.Interop.Libfabric.Native;

/// <summary>Constants of the libfabric headers, under their own names.</summary>
internal static class FI
{
    public const ulong FI_MSG = 1UL << 1;
    public const ulong FI_RMA = 1UL << 2;
    public const ulong FI_READ = 1UL << 8;
    public const ulong FI_WRITE = 1UL << 9;
    public const ulong FI_RECV = 1UL << 10;
    public const ulong FI_SEND = 1UL << 11;
    public const ulong FI_TRANSMIT = FI_SEND;
    public const ulong FI_REMOTE_WRITE = 1UL << 13;
    public const ulong FI_REMOTE_CQ_DATA = 1UL << 17;
    public const ulong FI_COMPLETION = 1UL << 24;
    public const ulong FI_DELIVERY_COMPLETE = 1UL << 28;
    public const ulong FI_HMEM = 1UL << 47;
    public const ulong FI_SOURCE = 1UL << 57;

    public const ulong FI_CONTEXT = 1UL << 59;
    public const ulong FI_CONTEXT2 = 1UL << 52;

    public const ulong FI_ORDER_WAW = 1UL << 4;
    public const ulong FI_ORDER_RMA_WAW = 1UL << 35;

    public const int FI_MR_LOCAL = 1 << 2;
    public const int FI_MR_VIRT_ADDR = 1 << 4;
    public const int FI_MR_ALLOCATED = 1 << 5;
    public const int FI_MR_PROV_KEY = 1 << 6;
    public const int FI_MR_ENDPOINT = 1 << 9;
    public const int FI_MR_HMEM = 1 << 10;

    public const int FI_EP_RDM = 3;
    public const int FI_THREAD_DOMAIN = 3;
    public const int FI_PROGRESS_MANUAL = 2;
    public const int FI_RM_ENABLED = 2;
    public const int FI_AV_UNSPEC = 0;

    public const int FI_CQ_FORMAT_DATA = 3;
    public const int FI_WAIT_NONE = 0;
    public const int FI_WAIT_FD = 3;

    public const int FI_GETWAIT = 5;
    public const int FI_ENABLE = 6;

    public const uint FI_SOCKADDR_IN = 2;
    public const uint FI_SOCKADDR_IN6 = 3;
    public const uint FI_ADDR_STR = 9;

    public const int FI_HMEM_SYSTEM = 0;
    public const int FI_HMEM_CUDA = 1;

    public const int FI_OPT_ENDPOINT = 0;

    public const int FI_ENOENT = 2;
    public const int FI_EIO = 5;
    public const int FI_EAGAIN = 11;
    public const int FI_ENOMEM = 12;
    public const int FI_EACCES = 13;
    public const int FI_EFAULT = 14;
    public const int FI_ENODEV = 19;
    public const int FI_EINVAL = 22;
    public const int FI_ENODATA = 61;
    public const int FI_EMSGSIZE = 90;
    public const int FI_ENOPROTOOPT = 92;
    public const int FI_EOPNOTSUPP = 95;
    public const int FI_EADDRNOTAVAIL = 99;
    public const int FI_ENETDOWN = 100;
    public const int FI_ENETUNREACH = 101;
    public const int FI_ECONNABORTED = 103;
    public const int FI_ECONNRESET = 104;
    public const int FI_ENOTCONN = 107;
    public const int FI_ESHUTDOWN = 108;
    public const int FI_ETIMEDOUT = 110;
    public const int FI_ECONNREFUSED = 111;
    public const int FI_EHOSTDOWN = 112;
    public const int FI_EHOSTUNREACH = 113;
    public const int FI_EREMOTEIO = 121;
    public const int FI_ECANCELED = 125;
    public const int FI_EKEYREJECTED = 129;
    public const int FI_EOTHER = 256;
    public const int FI_EAVAIL = 259;
    public const int FI_ETRUNC = 265;
    public const int FI_ENOKEY = 266;
    public const int FI_EOVERRUN = 268;
    public const int FI_ENORX = 269;

    /// <summary>The value of the FI_VERSION macro.</summary>
    public static uint FI_VERSION(uint major, uint minor) => (major << 16) | minor;
}
