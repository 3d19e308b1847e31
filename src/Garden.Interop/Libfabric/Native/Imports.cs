using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>The functions libfabric exports. Everything else is a call through an object's operation table, see <see cref="Calls"/>.</summary>
internal static unsafe partial class Imports
{
    [LibraryImport(LibfabricLibrary.Name)]
    public static partial uint fi_version();

    [LibraryImport(LibfabricLibrary.Name)]
    public static partial int fi_getinfo(uint version, byte* node, byte* service, ulong flags, fi_info* hints, fi_info** info);

    [LibraryImport(LibfabricLibrary.Name)]
    public static partial void fi_freeinfo(fi_info* info);

    [LibraryImport(LibfabricLibrary.Name)]
    public static partial fi_info* fi_dupinfo(fi_info* info);

    [LibraryImport(LibfabricLibrary.Name)]
    public static partial int fi_fabric(fi_fabric_attr* attr, fid_fabric** fabric, void* context);

    [LibraryImport(LibfabricLibrary.Name)]
    public static partial byte* fi_strerror(int errnum);
}
