using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Name of a hardware NIC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_device_attr
{
    public byte* name;
    public byte* device_id;
    public byte* device_version;
    public byte* vendor_id;
    public byte* driver;
    public byte* firmware;
}
