namespace Garden.Generators.ModelFiles;

/// <summary>Reads a <see cref="ModelConfig"/>. Of a member that is given twice the last counts, as it does for Python.</summary>
internal static class ModelConfigReader
{
    // Ways to say which layers have attention: Jamba, Nemotron-H, Zamba, Granite/Bamba, MiniMax; Gemma 3n shares caches.
    private static readonly HashSet<string> s_layerPatterns =
    [
        "attn_layer_period", "hybrid_override_pattern", "layers_block_type", "attn_layer_indices", "attn_type_list", "num_kv_shared_layers",
    ];

    private static readonly HashSet<string> s_numbers =
    [
        "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "kv_lora_rank",
        "qk_rope_head_dim", "n_routed_experts", "num_experts", "num_local_experts", "num_experts_per_tok", "n_shared_experts",
        "first_k_dense_replace", "intermediate_size", "moe_intermediate_size", "vocab_size", "full_attention_interval",
    ];

    public static ModelConfig Read(JsonReader reader)
    {
        reader.Expect(JsonToken.BeginObject, "an object");
        var outer = new Members();
        var inner = new Members();
        while (reader.Read() != JsonToken.EndObject)
        {
            if (!reader.Is("text_config"))
                outer.Read(reader);
            else if (reader.Read() == JsonToken.BeginObject)
                inner.ReadAll(reader);
            else
                reader.Skip();
        }

        outer.Override(inner);
        return outer.ToConfig();
    }

    /// <summary>The members of one object that are of use.</summary>
    private sealed class Members
    {
        private readonly Dictionary<string, int> _numbers = [];
        private readonly HashSet<string> _unusable = [];
        private string? _dtype;
        private string[]? _layerTypes;
        private string? _pattern;

        public void ReadAll(JsonReader reader)
        {
            while (reader.Read() != JsonToken.EndObject)
                Read(reader);
        }

        /// <summary>Reads the value of the current name.</summary>
        public void Read(JsonReader reader)
        {
            string name = reader.GetString();
            reader.Read();
            if (s_numbers.Contains(name))
                ReadNumber(reader, name);
            else if (name == "layer_types")
                ReadLayerTypes(reader, name);
            else if (name is "dtype" or "torch_dtype" && reader.Token == JsonToken.String)
                _dtype = reader.GetString();
            else if (s_layerPatterns.Contains(name) && reader.Token != JsonToken.Null && !(reader.TryGetInt32(out int value) && value == 0))
                _pattern = name;
            reader.Skip();
        }

        public void Override(Members inner)
        {
            foreach (KeyValuePair<string, int> number in inner._numbers)
            {
                _numbers[number.Key] = number.Value;
                _unusable.Remove(number.Key);
            }

            foreach (string name in inner._unusable)
                Refuse(name);
            _dtype = inner._dtype ?? _dtype;
            _layerTypes = inner._layerTypes ?? _layerTypes;
            _pattern = inner._pattern ?? _pattern;
        }

        public ModelConfig ToConfig() => new()
        {
            HiddenSize = Number("hidden_size"),
            HiddenLayers = Number("num_hidden_layers"),
            AttentionHeads = Number("num_attention_heads"),
            KeyValueHeads = Number("num_key_value_heads"),
            HeadDim = Number("head_dim"),
            KvLoraRank = Number("kv_lora_rank"),
            QkRopeHeadDim = Number("qk_rope_head_dim"),
            Experts = Number("n_routed_experts") ?? Number("num_experts") ?? Number("num_local_experts"),
            ExpertsPerToken = Number("num_experts_per_tok"),
            SharedExperts = Number("n_shared_experts"),
            FirstDenseLayers = Number("first_k_dense_replace"),
            IntermediateSize = Number("intermediate_size"),
            MoeIntermediateSize = Number("moe_intermediate_size"),
            VocabSize = Number("vocab_size"),
            FullAttentionInterval = Number("full_attention_interval"),
            DataType = _dtype,
            LayerTypes = new EquatableArray<string>(_layerTypes ?? []),
            UnknownLayerPattern = _pattern,
            Unusable = new EquatableArray<string>(_unusable.OrderBy(name => name, StringComparer.Ordinal)),
        };

        private int? Number(string name) => _numbers.TryGetValue(name, out int value) ? value : null;

        private void ReadNumber(JsonReader reader, string name)
        {
            _unusable.Remove(name);
            if (reader.TryGetInt32(out int value))
                _numbers[name] = value;
            else if (reader.Token == JsonToken.Null)
                _numbers.Remove(name);
            else
                Refuse(name);
        }

        private void ReadLayerTypes(JsonReader reader, string name)
        {
            _unusable.Remove(name);
            _layerTypes = null;
            if (reader.Token == JsonToken.Null)
                return;
            if (reader.Token != JsonToken.BeginArray)
            {
                Refuse(name);
                return;
            }

            var types = new List<string>();
            while (reader.Read() != JsonToken.EndArray)
            {
                if (reader.Token == JsonToken.String)
                {
                    types.Add(reader.GetString());
                }
                else
                {
                    Refuse(name);
                    reader.Skip();
                }
            }

            _layerTypes = _unusable.Contains(name) ? null : [.. types];
        }

        private void Refuse(string name)
        {
            _unusable.Add(name);
            _numbers.Remove(name);
            if (name == "layer_types")
                _layerTypes = null;
        }
    }
}
