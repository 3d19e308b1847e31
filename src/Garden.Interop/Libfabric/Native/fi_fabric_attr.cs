using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Attributes of a fabric.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_fabric_attr
{
    public fid_fabric* fabric;
    public byte* name;
    public byte* prov_name;
    public uint prov_version;
    public uint api_version;
}
