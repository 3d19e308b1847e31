using ILGPU;

namespace Garden.Samples;

/// <summary>A stand-in for a model's layer, and its counterpart on the receiving device.</summary>
public static unsafe class LayerKernels
{
    private const ulong Poison = KvPattern.Poison * 0x0101010101010101ul;

    /// <summary>Fills the layer's pages with words that say where they belong.</summary>
    public static void Compute(LayerArgs arguments)
    {
        // Safe: the host has sized header and pool; pages and planes are those of the layout.
        var prompt = (PromptHeader*)arguments.Prompt;
        int* pages = (int*)(arguments.Prompt + (ulong)sizeof(PromptHeader));
        int count = prompt->Pages * arguments.Planes;
        for (int time = 0; time < arguments.Times; time++)
        {
            for (int i = Grid.IdxX; i < count; i += Grid.DimX)
            {
                int page = i / arguments.Planes, plane = i - (page * arguments.Planes);
                ulong key = KvPattern.Key(prompt->Seed, prompt->Request, 0, arguments.Index, plane, page);
                var words = (ulong*)(arguments.Layer + (ulong)(pages[page] * arguments.PageStride) + (ulong)(plane * arguments.PlaneStride));
                for (int word = Group.IdxX; word < arguments.Words; word += Group.DimX)
                    words[word] = KvPattern.Word(key + ((ulong)word * KvPattern.Step));
            }
        }
    }

    /// <summary>Leaves the tail where the prompt says: what a model's last layer hands to the decoder.</summary>
    public static void Tail(LayerArgs arguments)
    {
        // Safe: the host has sized the tail.
        var prompt = (PromptHeader*)arguments.Prompt;
        ulong key = KvPattern.TailKey(prompt->Seed, prompt->Request);
        var words = (ulong*)prompt->Tail;
        int step = Grid.DimX * Group.DimX;
        for (int word = (Grid.IdxX * Group.DimX) + Group.IdxX; word < prompt->TailWords; word += step)
            words[word] = KvPattern.Word(key + ((ulong)word * KvPattern.Step));
    }

    /// <summary>Counts words that are not those, and poisons the pages for the next prompt that gets them.</summary>
    public static void Check(LayerArgs arguments)
    {
        // Safe: as in Compute.
        var prompt = (PromptHeader*)arguments.Prompt;
        int* pages = (int*)(arguments.Prompt + (ulong)sizeof(PromptHeader));
        int count = prompt->Pages * arguments.Planes;
        for (int i = Grid.IdxX; i < count; i += Grid.DimX)
        {
            int page = i / arguments.Planes, plane = i - (page * arguments.Planes);
            ulong key = KvPattern.Key(prompt->Seed, prompt->Request, 0, arguments.Index, plane, page);
            var words = (ulong*)(arguments.Layer + (ulong)(pages[page] * arguments.PageStride) + (ulong)(plane * arguments.PlaneStride));
            for (int word = Group.IdxX; word < arguments.Words; word += Group.DimX)
            {
                if (words[word] != KvPattern.Word(key + ((ulong)word * KvPattern.Step)))
                    Atomic.Add(ref *(int*)arguments.Errors, 1);
                words[word] = Poison;
            }
        }
    }
}
