namespace Garden.Generators.Integration.Weights.Model;

/// <summary>The bytes of a rank's tensors as they should be; −1 where there is padding.</summary>
internal static class NaiveMemory
{
    private const int Alignment = 256;

    public static short[] OfTrainer(NaiveMap map, int rank)
    {
        var memory = new List<short>();
        foreach (NaiveMap.Rule rule in map.Outputs.SelectMany(output => output))
        {
            (int[] experts, Grid elements) = map.AtTrainer(rule, rank);
            for (int outer = 0; outer < rule.Outers; outer++)
            {
                foreach (int expert in experts)
                {
                    Add(memory, elements.Items, expert < 0 ? null : rule.NameOf(outer, expert), 'e', rule.ElementBytes);
                    Align(memory);
                }
            }
        }

        return [.. memory];
    }

    public static short[] OfInference(NaiveMap map, int rank)
    {
        var memory = new List<short>();
        foreach (NaiveMap.Rule[] output in map.Outputs)
        {
            AddOutput(map, output, rank, memory, scales: false);
            if (output[0].Converts)
                AddOutput(map, output, rank, memory, scales: true);
        }

        return [.. memory];
    }

    /// <summary>One byte of an element: as the trainer has it ('e'), converted ('v') or of a scale ('s').</summary>
    public static byte ByteOf(string tensor, char kind, long element, int index)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in tensor)
            hash = (hash ^ c) * 1099511628211;
        hash = (hash ^ kind) * 1099511628211;
        hash = (hash ^ (ulong)element) * 1099511628211;
        hash = (hash ^ (ulong)index) * 0x9e3779b97f4a7c15;
        return (byte)(hash >> 53);
    }

    private static void AddOutput(NaiveMap map, NaiveMap.Rule[] output, int rank, List<short> memory, bool scales)
    {
        for (int outer = 0; outer < output[0].Outers; outer++)
        {
            int places = map.AtInference(output[0], rank).Experts.Length;
            for (int place = 0; place < places; place++)
            {
                foreach (NaiveMap.Rule member in output)
                {
                    (int[] experts, Grid elements) = map.AtInference(member, rank);
                    string? name = experts[place] < 0 ? null : member.NameOf(outer, experts[place]);
                    if (scales)
                        Add(memory, elements.Blocks(NaiveMap.Block, member.Dimensions[1]), name, 's', 4);
                    else
                        Add(memory, elements.Items, name, member.Converts ? 'v' : 'e', member.Converts ? 1 : member.ElementBytes);
                }

                Align(memory);
            }
        }
    }

    private static void Add(List<short> memory, int[] elements, string? tensor, char kind, int bytes)
    {
        foreach (int element in elements)
        {
            for (int i = 0; i < bytes; i++)
                memory.Add(tensor is null || element < 0 ? (short)-1 : ByteOf(tensor, kind, element, i));
        }
    }

    private static void Align(List<short> memory)
    {
        while (memory.Count % Alignment != 0)
            memory.Add(-1);
    }
}
