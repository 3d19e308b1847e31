using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>The way to a remote port.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_ah_attr
{
    public ibv_global_route grh;
    public ushort dlid;
    public byte sl;
    public byte src_path_bits;
    public byte static_rate;
    public byte is_global;
    public byte port_num;
}
