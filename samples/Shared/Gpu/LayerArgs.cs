using System.Runtime.InteropServices;

namespace Garden.Samples;

/// <summary>One layer of some pages of a prompt, for the kernels of the example. What changes from prompt to prompt lies in device memory: a replayed graph has the parameters of its recording.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct LayerArgs
{
    /// <summary>Address of a <see cref="PromptHeader"/>; the page numbers follow it.</summary>
    public ulong Prompt;

    /// <summary>Address of the layer in the pool.</summary>
    public ulong Layer;

    /// <summary>Bytes from a page to the next.</summary>
    public long PageStride;

    /// <summary>Bytes from a plane to the next.</summary>
    public long PlaneStride;

    /// <summary>Planes of a page.</summary>
    public int Planes;

    /// <summary>8-byte words of a plane.</summary>
    public int Words;

    /// <summary>The layer's number.</summary>
    public int Index;

    /// <summary>How often the layer is computed: more than once to take longer.</summary>
    public int Times;

    /// <summary>Address of the count of wrong words; for the check alone.</summary>
    public ulong Errors;
}

/// <summary>Which prompt the kernels work on.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PromptHeader
{
    /// <summary>Seed of the data.</summary>
    public int Seed;

    /// <summary>The request's number.</summary>
    public int Request;

    /// <summary>Pages that follow.</summary>
    public int Pages;

    /// <summary>8-byte words of the tail.</summary>
    public int TailWords;

    /// <summary>Address of the tail, which moves from prompt to prompt; 0 on the receiving side.</summary>
    public ulong Tail;
}
