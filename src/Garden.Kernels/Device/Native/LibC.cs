using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>What memory shared between processes needs of Linux's C library.</summary>
internal static unsafe partial class LibC
{
    public const uint MFD_CLOEXEC = 1;
    public const int O_RDWR = 2;
    public const int O_CLOEXEC = 0x80000;
    public const int PROT_READ_WRITE = 3;
    public const int MAP_SHARED = 1;
    public const int SEEK_END = 2;
    public const int ENOENT = 2;
    public const int ESRCH = 3;
    public const short POLLIN = 1;
    private const string Library = "libc";
    private const long PidfdOpenNumber = 434;

    /// <summary>A descriptor of a process, which becomes readable when it ends; negative with <see cref="ESRCH"/> when there is none of that id.</summary>
    public static int PidfdOpen(int process) => (int)syscall(PidfdOpenNumber, process, 0);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ftruncate(int descriptor, long length);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint mmap(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport(Library)]
    public static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport(Library)]
    public static partial int munmap(nint address, nuint length);

    [LibraryImport(Library)]
    public static partial int close(int descriptor);

    [LibraryImport(Library)]
    public static partial int poll(PollDescriptor* descriptors, nuint count, int milliseconds);

    /// <summary>What to throw when the last call failed.</summary>
    public static FabricException Refused(string call, string advice)
    {
        int code = Marshal.GetLastPInvokeError();
        return new FabricException($"{call} failed with {code} ({new Win32Exception(code).Message}). Look at {advice}.", providerCode: code);
    }

    [LibraryImport(Library, SetLastError = true)]
    private static partial nint syscall(long number, long first, long second);

    [StructLayout(LayoutKind.Sequential)]
    public struct PollDescriptor
    {
        public int fd;
        public short events;
        public short revents;
    }
}
