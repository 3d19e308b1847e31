using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>What is needed of the C library: one descriptor for several, and pages made present.</summary>
internal static unsafe partial class LibC
{
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EINTR = 4;
    public const int EPERM = 1;
    public const int EINVAL = 22;
    public const int EOPNOTSUPP = 95;
    public const int ETIMEDOUT = 110;

    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int O_NONBLOCK = 0x800;

    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const uint EPOLLIN = 1;

    /// <summary>Linux 5.14 and on.</summary>
    public const int MADV_POPULATE_WRITE = 23;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int fd, int command, int argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_ctl(int epoll, int operation, int fd, epoll_event* what);

    [LibraryImport("libc")]
    public static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int madvise(void* address, nuint length, int advice);

    /// <summary>Twelve bytes on x86-64 and sixteen elsewhere; what follows the bits is not used.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct epoll_event
    {
        public uint events;
        public uint unused;
        public ulong unused_more;
    }
}
