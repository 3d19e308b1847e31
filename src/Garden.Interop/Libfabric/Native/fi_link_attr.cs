using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Link of a hardware NIC; the speed is in bit/s.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_link_attr
{
    public byte* address;
    public nuint mtu;
    public nuint speed;
    public int state;
    public byte* network_type;
}
