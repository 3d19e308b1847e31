using System.Runtime.InteropServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Arguments of <see cref="SetWord"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SetWordArgs
{
    /// <summary>Address of 4 bytes.</summary>
    public ulong Address;

    /// <summary>What they become.</summary>
    public uint Value;
}

/// <summary>The kernel that sets one word, in order with the kernels around it: how the host tells them a number.</summary>
public static class SetWord
{
    /// <summary>The kernel, for one thread.</summary>
    public static void Run(SetWordArgs arguments)
    {
        if (Grid.IdxX == 0 && Group.IdxX == 0)
            GlobalMemory.Store4(arguments.Address, arguments.Value);
    }
}
